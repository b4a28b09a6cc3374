"""Which files hold the picks that a path, a folder or a pattern names."""

from __future__ import annotations

import fnmatch
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from frostpick.errors import InputError
from frostpick_jobs.formats.walk import Unreadable, absent, at_home, folders_below, matching

log = logging.getLogger(__name__)

PICK_SUFFIXES = (".star", ".csv", ".tsv", ".tab", ".txt", ".box")
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
    *("autopick.star", "manualpick.star", "coords_suffix?*", "particles.star"),
)


def find_pick_files(paths: Sequence[Path | str], *, allow_missing: bool = False) -> list[Path]:
    """Return the files, each once, in the order of the arguments, sorted within each.

    A folder stands for the one file that holds all of its picks where it has one
    (``picks.csv``, ``kept.star``, ``verified.star``, ``autopick.star``, ``manualpick.star``,
    ``coords_suffix_NAME.star``, ``particles.star``), else for all pick files below it, without
    RELION's own notes on the job. A link whose target is gone is left out with a warning.

    Parameters
    ----------
    allow_missing
        Go on without folders that cannot be read, with a warning.

    Raises
    ------
    InputError
        Nothing is found under one of the paths, or a folder cannot be read.
    """
    unreadable = Unreadable()
    found = {str(given): _expand(str(given), unreadable) for given in paths}
    unreadable.tell(allow_missing)
    for given, files in found.items():
        if not files:
            raise InputError(
                f"{given}: no picks there; expected a file, a folder or a pattern of "
                f"{', '.join(PICK_SUFFIXES)} files"
            )
    return list(dict.fromkeys(path for files in found.values() for path in files))


def named_pick_files(given: str, unreadable: Unreadable) -> list[Path]:
    """Return the files that a path, a folder or a pattern names, lost links among them."""
    path = Path(at_home(given))
    if os.path.isfile(path):
        return [path]
    return _in_folder(path, unreadable) if os.path.isdir(path) else matching(str(path), unreadable)


def _expand(given: str, unreadable: Unreadable) -> list[Path]:
    there = []
    for one in named_pick_files(given, unreadable):
        if os.path.isfile(one):
            there.append(one)
        else:
            log.warning("%s: left out, %s", one, absent(one))
    return sorted(there)


def _in_folder(folder: Path, unreadable: Unreadable) -> list[Path]:
    found: list[Path] = []
    for place, names in folders_below(folder, unreadable):
        if place == folder:
            for pattern in _WHOLE:
                whole = sorted(fnmatch.filter(names, pattern))
                if whole:
                    return [place / whole[0]]
        found += [
            place / name
            for name in names
            if name.lower().endswith(PICK_SUFFIXES)
            and not name.startswith(".")
            and name not in _JOB_NOTES
        ]
    return found
