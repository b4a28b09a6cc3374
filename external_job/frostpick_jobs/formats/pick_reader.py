"""Read picks from any file, folder or pattern."""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick_jobs.formats.box import read_box
from frostpick_jobs.formats.delimited import read_delimited
from frostpick_jobs.formats.micrograph_list import read_micrographs_star
from frostpick_jobs.formats.pick_table import PickTable
from frostpick_jobs.formats.star.lines import split_star_line, star_lines
from frostpick_jobs.formats.star.picks import (
    LIST_LABEL,
    pick_block,
    picks_from_blocks,
    star_pick_blocks,
)
from frostpick_jobs.formats.star.read import StarTable
from frostpick_jobs.formats.star.relion_paths import coordinate_file

log = logging.getLogger(__name__)

PICK_SUFFIXES = (".star", ".csv", ".tsv", ".txt", ".box")
_JOB_NOTES = (
    "job.star",
    "job_pipeline.star",
    "default_pipeline.star",
    "RELION_OUTPUT_NODES.star",
    "note.txt",
)
#: Files that hold all the picks of a folder, of our own jobs and of RELION's.
_WHOLE = (
    *("picks.csv", "kept.star", "verified.star"),
    *("autopick.star", "manualpick.star", "coords_suffix_*.star"),
)
_SUFFIX_FILE = re.compile(r"coords_suffix_(.+)\.star$")


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
        path of the list exists.

    Raises
    ------
    InputError
        The file cannot be read or understood; the sentence names file, row and value.
    """
    path = Path(path)
    first = _first_line(path)
    if first is not None and first.startswith("data_"):
        blocks = star_pick_blocks(path)
        table = pick_block(blocks)
        if table is not None and LIST_LABEL in table.columns:
            return _read_list(path, table, base)
        return picks_from_blocks(path, blocks, _own_name(path))
    suffix = _SUFFIX_FILE.search(path.name)
    if suffix and first is not None:
        return _read_coords_suffix(path, suffix.group(1), first, base)
    return _read_coordinates(path, first)


def read_pick_files(paths: Sequence[Path | str], base: Path | None = None) -> list[PickTable]:
    """Read files, folders and glob patterns.

    A folder stands for the one file that holds all of its picks where it has one
    (``picks.csv``, ``kept.star``, ``verified.star``, ``autopick.star``, ``manualpick.star``,
    ``coords_suffix_NAME.star``), else for all pick files below it, sorted, without RELION's
    own notes on the job.

    Raises
    ------
    InputError
        Nothing is found under one of the paths, or a file cannot be used.
    """
    files: dict[Path, None] = {}
    for given in paths:
        files.update(dict.fromkeys(_expand(given)))
    return [read_picks(path, base) for path in files]


def _expand(given: Path | str) -> list[Path]:
    path = Path(given)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = _in_folder(path)
    else:
        found = [Path(p) for p in glob.glob(str(given), recursive=True) if Path(p).is_file()]
    if not found:
        raise InputError(
            f"{given}: no picks there; expected a file, a folder or a pattern of "
            f"{', '.join(PICK_SUFFIXES)} files"
        )
    return sorted(found)


def _in_folder(folder: Path) -> list[Path]:
    for pattern in _WHOLE:
        whole = sorted(folder.glob(pattern))
        if whole:
            return whole[:1]
    return [
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in PICK_SUFFIXES
        and p.is_file()
        and not p.name.startswith(".")
        and p.name not in _JOB_NOTES
    ]


def _first_line(path: Path) -> str | None:
    """Return the first line that is neither blank nor a comment."""
    for line in star_lines(path):
        if split_star_line(line):
            return line.strip()
    return None


def _read_coordinates(path: Path, first: str | None) -> PickTable:
    """Read a file that holds coordinates itself; ``first`` is its first line."""
    if first is None:
        return PickTable.empty(path, path.suffix.lower().lstrip(".") or "text")
    if first.startswith("data_"):
        return picks_from_blocks(path, star_pick_blocks(path), _own_name(path))
    if path.suffix.lower() == ".box":
        return read_box(path, _own_name(path))
    if path.suffix.lower() == ".star":
        raise InputError(f"{path}: found {first[:40]!r}, expected a STAR file: 'data_' first")
    return read_delimited(path, _own_name(path))


def _own_name(path: Path) -> str:
    return path.with_suffix("").as_posix()


def _read_list(path: Path, table: StarTable, base: Path | None) -> PickTable:
    names = table.columns.get("rlnMicrographName")
    if names is None:
        raise InputError(f"{path}: a list of coordinate files needs rlnMicrographName")
    files = table.columns[LIST_LABEL]
    folder = _project_folder(path, files, base)
    missing = next((f for f in files if not (folder / f).is_file()), None)
    if missing is not None:
        raise InputError(
            f"{path}: coordinate file {missing} is not there (looked in {folder.resolve()}); "
            "expected paths relative to the project folder"
        )
    parts = [_read_coordinates(folder / f, _first_line(folder / f)) for f in files]
    return _joined(path, names, parts)


def _read_coords_suffix(path: Path, name: str, text: str, base: Path | None) -> PickTable:
    """Follow RELION 3.1's suffix file: its text is the path of the micrographs STAR."""
    folder = _project_folder(path, [text], base)
    if not (folder / text).is_file():
        raise InputError(
            f"{path}: it names {text[:80]!r}, which is not there (looked in {folder.resolve()}); "
            "expected the path of a micrographs STAR file, relative to the project folder"
        )
    names, parts, absent = [], [], 0
    for row in read_micrographs_star(folder / text):
        file = Path(coordinate_file(path.parent.as_posix(), row.name, name))
        if file.is_file():
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
    if entries:
        return next((f for f in folders if (f / entries[0]).is_file()), folders[0])
    return folders[0]


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
    )
