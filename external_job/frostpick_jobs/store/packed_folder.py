"""A folder of results, by name: small files first, and a thousand of them in one pack."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from frostpick.runtime.atomic import atomic_write
from frostpick_jobs.store.packs import FULL, Packs, read_files, remove_files

log = logging.getLogger(__name__)

#: What a small file of a result ends with.
SMALL = ".npz"


class PackedFolder:
    """Results by name, each safe as soon as it is put.

    A result is a small file first. A thousand of them become one pack
    (`frostpick_jobs.store.packs`), and are removed when that is on the disk; a small file that is
    there is newer than what a pack has under its name, or the same.

    One process writes at a time (`frostpick_jobs.job.lock`), or several parts of a job that have
    no result in common. The folder is listed once.

    Parameters
    ----------
    folder
        Made when it is not there.
    part
        A word for the packs of this process where several work side by side in one folder: it
        packs what it put or held, and nothing of the others.
    full
        Results in a pack.
    """

    def __init__(self, folder: Path, part: str = "", full: int = FULL) -> None:
        self.folder, self._part, self._full = folder, part, full
        folder.mkdir(parents=True, exist_ok=True)
        self._packs = Packs(folder)
        self._packing = True
        self._small: set[str] = set()
        self._mine: set[str] = set()
        self.look()

    def __contains__(self, name: object) -> bool:
        return name in self._small or name in self._packs

    def look(self) -> None:
        """List the folder anew, to take up what other processes have put or packed."""
        with os.scandir(self.folder) as entries:
            names = {entry.name for entry in entries}
        self._small = {name for name in names if name.endswith(SMALL)}
        self._mine = self._mine & self._small if self._part else set(self._small)
        self._packs.look(names)

    def read(self, name: str) -> Path | bytes | None:
        """Return the file of a result, or what a pack has of it; None where there is neither."""
        if name in self._small:
            return self.folder / name
        return self._packs.read(name)

    def take(self, name: str) -> None:
        """Count a result that was found as this process' own."""
        if name in self._small:
            self._mine.add(name)

    def put(self, name: str, content: bytes) -> None:
        """Write a result in place of an older one; when a thousand are small files, pack them."""
        with atomic_write(self.folder / name) as handle:
            handle.write(content)
        self._small.add(name)
        self._mine.add(name)
        if len(self._mine) >= self._full:
            self._pack()

    def settle(self, *, all_of_it: bool = False) -> None:
        """Take up what other processes have put, and pack the rest, unless it is little.

        What is left in small files is less than an eighth of a pack: the rounds of a session
        that grows by a few micrographs write no pack anew for each of them. Packs of which
        newer ones have everything are removed.

        Parameters
        ----------
        all_of_it
            Pack whatever is small.
        """
        self.look()
        if len(self._mine) >= (1 if all_of_it else max(1, self._full // 8)):
            self._pack()
        try:
            for one in self._packs if not self._part else self._packs.of_part(self._part):
                if not self._packs.live(one):
                    one.remove()
        except OSError as error:
            self._stay_small(error)
        self.look()

    def _pack(self) -> None:
        """Put small files into packs; where there is no room for one, they stay."""
        if not self._packing:
            return
        names = sorted(self._mine)
        try:
            for first in range(0, len(names), self._full):
                chunk = read_files(self.folder, names[first : first + self._full])
                self._packs.write({**self._to_fill(len(chunk)), **chunk}, self._part)
                remove_files(self.folder, chunk)
                self.look()
        except OSError as error:
            self._stay_small(error)
            self.look()

    def _to_fill(self, count: int) -> dict[str, bytes]:
        """Return what an earlier pack has, if there is one to which ``count`` results fit.

        A result that is a small file, too, is newer there, and is left out.
        """
        for one in self._packs.of_part(self._part):
            live = [name for name in self._packs.live(one) if name not in self._small]
            if 0 < len(live) <= self._full - count:
                read = {name: one.read(name) for name in live}
                return {name: content for name, content in read.items() if content is not None}
        return {}

    def _stay_small(self, error: OSError) -> None:
        """Say that packing came to nothing: every result is where it was."""
        self._packing = False
        log.warning(
            "%s: finished work stays in small files (%s); nothing is lost",
            self.folder,
            error.strerror or error,
        )
