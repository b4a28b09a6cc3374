"""Read picks from any file, folder or pattern."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from os.path import isfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick_jobs.formats.box import read_box
from frostpick_jobs.formats.delimited import read_delimited
from frostpick_jobs.formats.foreign import CRYOLO_BOX
from frostpick_jobs.formats.micrograph_list import read_micrographs_star
from frostpick_jobs.formats.pick_files import find_pick_files
from frostpick_jobs.formats.pick_table import PickTable, shared_columns
from frostpick_jobs.formats.star.lines import names_a_block, split_star_line, star_lines
from frostpick_jobs.formats.star.picks import (
    LIST_LABEL,
    pick_block,
    picks_from_blocks,
    star_pick_blocks,
)
from frostpick_jobs.formats.star.read import StarTable
from frostpick_jobs.formats.star.relion_paths import relion_tail
from frostpick_jobs.formats.walk import base_of, in_project

log = logging.getLogger(__name__)

_SUFFIX_FILE = re.compile(r"coords_suffix(?=[_.])(.+)$")
_NAMED = 3


def read_picks(path: Path | str, base: Path | None = None) -> PickTable:
    """Read the picks of one file, its format told by extension and content.

    - STAR with coordinates: of one micrograph, of many, or particles (with alignments);
    - STAR that lists coordinate files (``autopick.star``), and RELION 3.1's
      ``coords_suffix_NAME.star``: all the files it stands for, as one table;
    - CSV, tab-separated text, Topaz's text files; EMAN ``.box``.

    Parameters
    ----------
    path
        The file.
    base
        Project folder that the paths inside a list are relative to. When None it is the
        first of the working folder and the three folders above the list where the first
        path of the list that is there exists.

    Raises
    ------
    InputError
        The file cannot be read or understood; the sentence names file, row and value.
    """
    path = Path(path)
    first = _first_line(path)
    suffix = _SUFFIX_FILE.match(path.name)
    if suffix and first is not None and not _starts_star(first):
        return _read_coords_suffix(path, suffix.group(1), first, base)
    if first is not None and _starts_star(first):
        blocks = star_pick_blocks(path)
        table = pick_block(blocks)
        if table is not None and LIST_LABEL in table.columns:
            return _read_list(path, table, base)
        return picks_from_blocks(path, blocks, _own_name(path))
    return _read_coordinates(path, first)


def read_pick_files(
    paths: Sequence[Path | str], base: Path | None = None, *, allow_missing: bool = False
) -> list[PickTable]:
    """Read files, folders and glob patterns; see `find_pick_files`.

    Parameters
    ----------
    allow_missing
        Go on without folders that cannot be read, with a warning.

    Raises
    ------
    InputError
        Nothing is found under one of the paths, or a file cannot be used.
    """
    files = find_pick_files(paths, allow_missing=allow_missing)
    return [read_picks(path, base) for path in files]


def _first_line(path: Path) -> str | None:
    """Return the first line that is neither blank nor a comment."""
    for line in star_lines(path):
        if split_star_line(line):
            return line.strip()
    return None


def _starts_star(first: str) -> bool:
    """Tell the first line of a STAR file from a path such as ``data_2020/micrographs.star``."""
    values = split_star_line(first)
    return len(values) == 1 and names_a_block(values[0])


def _read_coordinates(path: Path, first: str | None) -> PickTable:
    """Read a file that holds coordinates itself; ``first`` is its first line."""
    if first is None:
        return PickTable.empty(path, path.suffix.lower().lstrip(".") or "text")
    if _starts_star(first):
        return picks_from_blocks(path, star_pick_blocks(path), _own_name(path))
    if path.suffix.lower() == ".box":
        return read_box(path, _own_name(path))
    if path.suffix.lower() == ".cbox":
        raise InputError(f"{path}: {CRYOLO_BOX}")
    if path.suffix.lower() == ".star":
        raise InputError(f"{path}: found {first[:40]!r}, expected a STAR file: 'data_' first")
    return read_delimited(path, _own_name(path))


def _own_name(path: Path) -> str:
    return path.with_suffix("").as_posix()


def _read_list(path: Path, table: StarTable, base: Path | None) -> PickTable:
    names = table.columns.get("rlnMicrographName")
    if names is None:
        raise InputError(f"{path}: a list of coordinate files needs rlnMicrographName")
    files = [in_project(file) for file in table.columns[LIST_LABEL]]
    folder = _project_folder(path, files, base)
    found = [isfile(folder / file) for file in files]
    there = [row for row, one in enumerate(found) if one]
    missing = [file for file, one in zip(files, found, strict=True) if not one]
    if missing and not there:
        raise InputError(
            f"{path}: coordinate file {missing[0]} is not there (looked in {folder.resolve()}), "
            "nor is any other; expected paths relative to the project folder"
        )
    if missing:
        log.warning(
            "%s: %d of %d coordinate files are not there and left out: %s",
            path,
            len(missing),
            len(files),
            ", ".join(missing[:_NAMED]) + (" ..." if len(missing) > _NAMED else ""),
        )
    parts = [_read_coordinates(folder / f, _first_line(folder / f)) for f in _of(files, there)]
    return _joined(path, _of(names, there), parts)


def _of(values: Sequence[str], rows: Sequence[int]) -> list[str]:
    return [values[row] for row in rows]


def _read_coords_suffix(path: Path, suffix: str, text: str, base: Path | None) -> PickTable:
    """Follow RELION 3.1's suffix file: its text is the path of the micrographs STAR.

    Its name tells how the coordinate files end: ``_autopick.star`` or ``.box``.
    """
    folder = _project_folder(path, [text], base)
    if not isfile(folder / text):
        raise InputError(
            f"{path}: it names {text[:80]!r}, which is not there (looked in {folder.resolve()}); "
            "expected the path of a micrographs STAR file, relative to the project folder"
        )
    names, parts, absent = [], [], 0
    for row in read_micrographs_star(folder / text):
        file = path.parent / (relion_tail(row.name) + suffix)
        if isfile(file):
            names.append(row.name)
            parts.append(_read_coordinates(file, _first_line(file)))
        else:
            absent += 1
    if absent:
        log.info(
            "%s: %d of %d micrographs have no coordinate file", path, absent, absent + len(names)
        )
    return _joined(path, names, parts)


def _project_folder(path: Path, entries: Sequence[str], base: Path | None) -> Path:
    if base is not None:
        return base
    # A list lies in PROJECT/External/job004/: look no farther up than that.
    folders = [Path(), *list(path.absolute().parents)[:3]]
    return base_of(entries, folders) or folders[0]


def _joined(path: Path, names: Sequence[str], parts: Sequence[PickTable]) -> PickTable:
    """Put the tables of single micrographs under the names of their list."""
    kept = [(name, part) for name, part in zip(names, parts, strict=True) if len(part)]
    if not kept:
        return PickTable.empty(path, "star")

    def column(key: str, fill: float | None = None) -> NDArray[np.float64] | None:
        arrays = [getattr(part, key) for _, part in kept]
        if all(a is None for a in arrays) or (fill is None and any(a is None for a in arrays)):
            return None
        width = next(a.shape[1:] for a in arrays if a is not None)
        return np.concatenate(
            [
                np.full((len(part), *width), fill) if a is None else a
                for a, (_, part) in zip(arrays, kept, strict=True)
            ]
        )

    return PickTable(
        path,
        "star",
        tuple(name for name, part in kept for _ in range(len(part))),
        np.concatenate([part.x_px for _, part in kept]),
        np.concatenate([part.y_px for _, part in kept]),
        score=column("score", np.nan),
        shift_A=column("shift_A", 0.0),
        pixel_size_A=column("pixel_size_A", np.nan),
        sign=_signs([part for _, part in kept]),
        **shared_columns(str(path), [part for _, part in kept]),
    )


def _signs(parts: Sequence[PickTable]) -> NDArray[np.int8] | None:
    """Return the signs of the rows; None where no table has any."""
    if all(part.sign is None for part in parts):
        return None
    return np.concatenate([part.signs for part in parts])
