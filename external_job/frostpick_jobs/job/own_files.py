"""What a job may write over in its folder: what it wrote itself, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from frostpick.errors import InputError, option
from frostpick_jobs.job.output_folder import claimed_by
from frostpick_jobs.job.written import WrittenNames

NOTE = "files.txt"
#: Stands in the note of a job from before there was one: all it finds is its own.
EVERYTHING = "*"


class OwnFiles:
    """The files of a folder that its job has written.

    Parameters
    ----------
    folder
        Where the outputs are.
    spool
        Where the note of them is kept.
    """

    def __init__(self, folder: Path, spool: Path) -> None:
        self._folder, self._spool = folder, spool
        self._names = WrittenNames(spool / NOTE)
        self._overwrite = False

    def __contains__(self, path: Path) -> bool:
        return EVERYTHING in self._names or self._name(path) in self._names

    def check(
        self, outputs: Iterable[Path], inputs: Iterable[Path] = (), *, overwrite: bool = False
    ) -> None:
        """Refuse to write over what is not this job's own; from then on its files are noted.

        Parameters
        ----------
        outputs
            Files that the job will write.
        inputs
            Files that it reads, by whatever names.
        overwrite
            The user's word for files that are there and not this job's own.

        Raises
        ------
        InputError
            An output is an input, or is there and not this job's own.
        """
        self._take_up()
        self._overwrite = overwrite
        there = _taken(outputs, self._folder)
        read = {os.path.realpath(path) for path in inputs} if there else set()
        for path in there if read else ():
            if os.path.realpath(path) in read:
                raise InputError(
                    f"{path}: an input of this job, and its output would be written over it; give "
                    "another output folder"
                )
        self.refuse_foreign(there)

    def refuse_foreign(self, paths: Iterable[Path]) -> None:
        """Raise `InputError` for files that are there and are not this job's own."""
        if self._overwrite:
            return
        found = _taken((path for path in paths if path not in self), self._folder)
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise InputError(
                f"{found[0]}{more}: already there, and not written by this job, which would "
                "replace it; move it away, give another output folder, or say "
                f"{option('overwrite')}"
            )

    def note(self, *paths: Path) -> None:
        """Note files that are going to be written."""
        self._names.note(*map(self._name, paths))

    def _take_up(self) -> None:
        """Begin the note; a job of before, which has none, goes on with all that is there."""
        if not (self._spool / NOTE).exists():
            self._names.keep_only([EVERYTHING] if claimed_by(self._spool) else [])

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._folder)).as_posix()


def _taken(paths: Iterable[Path], folder: Path) -> list[Path]:
    """Return the paths where something is, or where a file is in the way of a folder.

    A job has a file for each micrograph: each folder of them is looked at once.
    """
    is_folder = cache(os.path.isdir)
    blocked = cache(lambda place: _blocked(place, folder))
    return [
        path
        for path in paths
        if (os.path.lexists(path) if is_folder(path.parent) else blocked(path.parent))
    ]


def _blocked(place: Path, folder: Path) -> bool:
    """Tell whether a file is where ``place``, or a folder above it, is to be below ``folder``."""
    return any(
        one.exists() and not one.is_dir()
        for one in (place, *place.parents)
        if folder in one.parents
    )
