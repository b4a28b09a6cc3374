"""Picks, decisions and lists of micrographs as data frames, and data frames as STAR files.

For notebooks and scripts. The one module that knows pandas and starfile, which are imported
when they are first needed: no job of ours does. Files are read by
`frostpick_jobs.formats.star.read` all the same; docs/architecture.md says why.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from frostpick.errors import InputError
from frostpick.pick_columns import join_optional
from frostpick.runtime.atomic import atomic_write
from frostpick.types import REASONS, Decisions, Labels, Picks
from frostpick_jobs.formats.micrograph_list import MicrographRow
from frostpick_jobs.formats.pick_table import PickTable
from frostpick_jobs.formats.star.write import TEXT, star_value

if TYPE_CHECKING:
    import pandas as pd

#: RELION's labels for columns of `to_dataframe`. A position is written in whole pixels.
LABELS = {
    "micrograph": "rlnMicrographName",
    "x_px": "rlnCoordinateX",
    "y_px": "rlnCoordinateY",
    "score": "rlnAutopickFigureOfMerit",
    "pixel_size_A": "rlnMicrographPixelSize",
}
_POSITIONS = ("x_px", "y_px")
_LABEL = re.compile(r"[^\s#_\"'][^\s]*")
#: Least and largest size that is written with six decimals; others have an exponent.
_PLAIN = (1e-3, 1e5)


def to_dataframe(
    rows: Picks | PickTable | Decisions | Iterable[Picks] | Iterable[MicrographRow],
) -> pd.DataFrame:
    """Return a data frame of what frostpick gives.

    Parameters
    ----------
    rows
        - `Picks` of a micrograph, or of several: a row a pick, ``micrograph`` and the columns
          of `Picks` (of `Labels`, ``sign`` too); no micrograph gives no row;
        - `PickTable`, what `frostpick_jobs.formats.read_picks` gives: ``micrograph``, ``x_px``,
          ``y_px`` and the other columns that the file has, a shift as ``shift_x_A`` and
          ``shift_y_A``;
        - `Decisions`: ``row``, ``keep``, ``score``, ``probability``, ``spread`` and ``reason``
          as text, empty for a row that is kept;
        - what `frostpick_jobs.formats.read_micrograph_list` gives: ``micrograph``,
          ``pixel_size_A`` (NaN where unknown) and ``group``.

    Returns
    -------
    pandas.DataFrame
        Names are Python text, byte for byte as they were; numbers are float64 or int64.

    Raises
    ------
    TypeError
        None of these.
    """
    if isinstance(rows, Decisions):
        return _frame(_decisions(rows))
    if isinstance(rows, PickTable):
        return _frame(_table(rows))
    given: Any = [rows] if isinstance(rows, Picks) else rows
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        listed: list[Any] = list(given)
        if all(isinstance(one, Picks) for one in listed):
            return _frame(_picks(listed))
        if all(isinstance(one, MicrographRow) for one in listed):
            return _frame(_micrographs(listed))
    raise TypeError(
        f"found {type(rows).__name__}; expected picks of one or more micrographs, decisions, or "
        "the rows of a list of micrographs"
    )


def write_star(
    frames: pd.DataFrame | Mapping[str, pd.DataFrame],
    path: str | os.PathLike[str],
    version: int | None = 30001,
) -> None:
    """Write data frames as a STAR file, whole or not at all.

    Columns of `to_dataframe` that RELION has a label for get it (`LABELS`), and positions are
    written as in all STAR files of frostpick, ``floor(x + 0.5)``: RELION cuts the fraction off.
    Every other column is written under its own name, as it is: numbers with six decimals, very
    small and very large ones with an exponent; True as 1. The index is not written.

    Parameters
    ----------
    frames
        One frame, for a block without a name; or frames by the name of their block, such as
        ``{"optics": ..., "particles": ...}``.
    path
        The file.
    version
        What RELION's comment before each block says: 30001 in 3.1 and 4, 50001 in 5; None
        writes none.

    Raises
    ------
    InputError
        A value is missing or not finite, has a line break, a tab, both kinds of quotes or bytes
        that are no UTF-8, or lies off the image at the top or left; a label cannot be one, or
        comes twice.
    """
    import starfile

    target = Path(path)
    blocks: Mapping[str, pd.DataFrame] = frames if isinstance(frames, Mapping) else {"": frames}
    texts = {name: _as_text(target, name, frame) for name, frame in blocks.items()}
    with atomic_write(target, "w", **TEXT) as handle:
        for name, frame in texts.items():
            # Values are quoted already. The first line tells the time: equal frames would not
            # give equal files.
            text = starfile.to_string({name: frame}, quote_character="").partition("\n")[2]
            comment = "" if version is None else f"\n# version {version}"
            handle.write(comment + text.rstrip("\n") + "\n\n")


def _frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    # Text as objects: pandas' own kind of text has no place for bytes that are no UTF-8.
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=None if isinstance(values, np.ndarray) else object)
            for name, values in columns.items()
        }
    )


def _picks(listed: Sequence[Picks]) -> dict[str, Any]:
    kind = Labels if listed and all(isinstance(one, Labels) for one in listed) else Picks
    empty = kind.empty("")
    return {
        "micrograph": [one.micrograph_id for one in listed for _ in range(len(one))],
        **{
            name: np.concatenate([getattr(one, name) for one in (empty, *listed)])
            for name in kind.columns()
        },
        **join_optional(listed),
    }


def _table(table: PickTable) -> dict[str, Any]:
    found: dict[str, Any] = {"micrograph": list(table.micrograph)}
    for name in ("x_px", "y_px", "score", "probability", "selected"):
        if getattr(table, name) is not None:
            found[name] = getattr(table, name)
    if table.shift_A is not None:
        found |= {"shift_x_A": table.shift_A[:, 0], "shift_y_A": table.shift_A[:, 1]}
    for name in ("pixel_size_A", "edge", "sign"):
        if getattr(table, name) is not None:
            found[name] = getattr(table, name)
    found |= table.optional()
    return found if table.kind is None else {**found, "kind": list(table.kind)}


def _decisions(decisions: Decisions) -> dict[str, Any]:
    names = ("row", "keep", "score", "probability", "spread")
    found: dict[str, Any] = {name: getattr(decisions, name) for name in names}
    return {**found, "reason": [REASONS[number] for number in decisions.reason.tolist()]}


def _micrographs(listed: Sequence[MicrographRow]) -> dict[str, Any]:
    return {
        "micrograph": [row.name for row in listed],
        "pixel_size_A": np.array([row.pixel_size_A for row in listed], np.float64),
        "group": [row.group for row in listed],
    }


def _as_text(path: Path, name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of the text of every value, under the labels of the file."""
    labels = [LABELS.get(column, column) for column in frame.columns]
    for label in labels:
        if not isinstance(label, str) or not _LABEL.fullmatch(label):
            raise InputError(
                f"{path}: column {label!r}; expected a label such as rlnMicrographName, without "
                "blanks and without an underscore in front: rename it"
            )
        if labels.count(label) > 1:
            raise InputError(f"{path}: label {label} comes twice in 'data_{name}'; drop one")
    if not labels or not re.fullmatch(r"\S*", name):
        raise InputError(
            f"{path}: block {name!r} with {len(labels)} columns; expected a name without blanks, "
            "and columns"
        )
    columns = {}
    for label, column in zip(labels, frame.columns, strict=True):
        values = frame[column].tolist()
        columns[label] = [
            _text(f"{path}, 'data_{name}', row {row}: {column}", value, column in _POSITIONS)
            for row, value in enumerate(values, 1)
        ]
    return _frame(columns)


def _text(where: str, value: Any, position: bool) -> str:
    """Return a value as STAR text; ``where`` is for messages."""
    if position and isinstance(value, (int, float, np.number)) and value < -0.5:
        raise InputError(f"{where} is {value:g}, off the image, where RELION stops; drop the row")
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        number = math.floor(value + 0.5) + 0.0 if position else float(value)
        plain = number == 0 or _PLAIN[0] <= abs(number) <= _PLAIN[1]
        return star_value(number) if plain else f"{number:.6e}"
    if not isinstance(value, (str, bool, int, np.bool_, np.integer)):
        raise InputError(
            f"{where} is {value!r}; a STAR file has text and finite numbers: drop the row, or "
            "fill it"
        )
    text = star_value(value)
    if "\t" in text or len(text.splitlines()) > 1 or not _is_utf8(text):
        raise InputError(
            f"{where} is {value!r}; starfile cannot write a tab, a line break or bytes that are "
            "no UTF-8: rename it"
        )
    return text


def _is_utf8(text: str) -> bool:
    """Tell whether a name had no other bytes, which are lone surrogates here."""
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)
