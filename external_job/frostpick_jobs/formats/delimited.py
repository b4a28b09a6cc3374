"""Read picks from CSV, from tab-separated text, and from Topaz's text files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick_jobs.formats.columns import (
    bool_column,
    finite_column,
    optional_column,
    sign_column,
)
from frostpick_jobs.formats.converters import (
    Converter,
    as_it_is,
    optional_names,
    plus_zero,
    read_optional,
)
from frostpick_jobs.formats.pick_table import PickTable
from frostpick_jobs.formats.star.lines import star_lines

#: A pick's columns in our CSV, after ``micrograph``: positions and angles with 3 decimals, score
#: and probability with 5 significant digits, ``selected`` as 1 or 0.
CSV = (
    Converter("x_px", "x_px", "%.3f", plus_zero),
    Converter("y_px", "y_px", "%.3f", plus_zero),
    Converter("score", "score", "%.5g"),
    Converter("probability", "probability", "%.5g"),
    Converter("selected", "selected", "%d"),
    Converter("filament", "filament_id", "%d", read=as_it_is),
    Converter("angle_deg", "angle_deg", "%.3f", plus_zero, read=as_it_is),
)
ALIASES: dict[str, tuple[str, ...]] = {
    "micrograph": ("micrograph", "image_name", "micrograph_name", "rlnMicrographName"),
    "x_px": ("x_px", "x_coord", "x", "rlnCoordinateX"),
    "y_px": ("y_px", "y_coord", "y", "rlnCoordinateY"),
    "score": ("score", "rlnAutopickFigureOfMerit"),
    "probability": ("probability",),
    "selected": ("selected",),
    "edge": ("edge",),
    "kind": ("kind",),
    "sign": ("sign",),
    **{name: (name,) for name in optional_names(CSV).values()},
}
_KNOWN = frozenset(name for names in ALIASES.values() for name in names)


def read_delimited(path: Path, unnamed: str) -> PickTable:
    """Read a table with a header line; comma, tab, semicolon or blanks between the values.

    Parameters
    ----------
    path
        The file. Without rows it gives an empty table.
    unnamed
        Micrograph name for a file that has no column of names.

    Raises
    ------
    InputError
        A coordinate column is missing or a column is there twice, a row is too short or too
        long, or a coordinate is no number.
    """
    lines = _lines(path)
    header = next(lines, None)
    if header is None:
        return PickTable.empty(path, "csv")
    delimiter = next((d for d in "\t,;" if d in header), " ")
    names = [n.strip() for n in next(_rows(path, iter([header]), delimiter))]
    twice = next((n for n in names if n and names.count(n) > 1 and n in _KNOWN), None)
    if twice is not None:
        raise InputError(
            f"{path}: the column {twice} is twice in the header; expected it once: remove one, "
            "with its values"
        )
    at = {
        key: names.index(next(a for a in aliases if a in names))
        for key, aliases in ALIASES.items()
        if any(a in names for a in aliases)
    }
    kind = "topaz" if "image_name" in names and delimiter == "\t" else "csv"
    if "x_px" not in at or "y_px" not in at:
        if "\0" in header:
            raise InputError(
                f"{path}: no text file; expected picks as STAR, CSV, .box or Topaz text"
            )
        raise InputError(
            f"{path}: found the columns {_shown(names)}; expected a header line with "
            "micrograph,x_px,y_px (or image_name, x_coord, y_coord)"
        )
    columns: dict[str, list[str]] = {key: [] for key in at}
    seen: dict[str, str] = {}
    taken = [(columns[key].append, index) for key, index in at.items() if key != "micrograph"]
    name_at = at.get("micrograph")
    for number, row in enumerate(_rows(path, lines, delimiter), 1):
        if not row:
            continue
        if len(row) != len(names) and (len(row) < len(names) or any(row[len(names) :])):
            # Of too many, a comma inside a number or names of rows have moved the columns.
            raise InputError(
                f"{path}, row {number}: {len(row)} values, expected {len(names)} as in the header"
            )
        if name_at is not None:
            columns["micrograph"].append(seen.setdefault(row[name_at], row[name_at]))
        for append, index in taken:
            append(row[index])
    return _table(path, kind, columns, unnamed)


def _table(path: Path, kind: str, columns: dict[str, list[str]], unnamed: str) -> PickTable:
    def numbers(key: str) -> NDArray[np.float64] | None:
        return optional_column(path, key, columns[key]) if key in columns else None

    def flags(key: str) -> NDArray[np.bool_] | None:
        return bool_column(path, key, columns[key]) if key in columns else None

    n = len(columns["x_px"])
    return PickTable(
        path,
        kind,
        tuple(columns.get("micrograph", [unnamed] * n)),
        finite_column(path, "x_px", columns["x_px"]),
        finite_column(path, "y_px", columns["y_px"]),
        score=numbers("score"),
        probability=numbers("probability"),
        selected=flags("selected"),
        edge=flags("edge"),
        kind=tuple(columns["kind"]) if "kind" in columns else None,
        sign=sign_column(path, "sign", columns["sign"]) if "sign" in columns else None,
        **read_optional(path, CSV, columns),
    )


def _rows(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    if delimiter == " ":
        yield from (line.split() for line in lines)
        return
    try:
        yield from csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    except csv.Error as error:
        raise InputError(f"{path}: no table of values: {error}") from error


def _shown(names: list[str]) -> str:
    text = ", ".join(names)[:200]
    return text if text.isprintable() else ascii(text)


def _lines(path: Path) -> Iterator[str]:
    """Give the lines, without comments and blank lines in front of the header."""
    started = False
    for line in star_lines(path):
        if started or (line.strip() and not line.startswith("#")):
            started = True
            yield line
