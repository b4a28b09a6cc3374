"""Packs: up to a thousand results in one file, an uncompressed zip archive.

Each member is a result, byte for byte the small file that it was. A pack is written once, whole,
and never changed; a later one has the newer result of the same name. So there is
nothing to repair after a kill: what is not renamed is a leftover, and what is in a pack and still
a small file too is there twice.
"""

from __future__ import annotations

import logging
import os
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from frostpick.runtime.atomic import atomic_write, sync_folder

log = logging.getLogger(__name__)

#: Results in a full pack.
FULL = 1000
_MEMBER = re.compile(r"[0-9a-f]{40}\.npz")
_NAME = re.compile(r"pack-(\d{5,})(?:-([A-Za-z0-9_]+))?\.zip")
_DAMAGED = (zipfile.BadZipFile, EOFError, ValueError, LookupError, RuntimeError, struct.error)


class Pack:
    """One pack, open for reading.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    OSError
        It cannot be read.
    zipfile.BadZipFile
        It is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive = zipfile.ZipFile(path)
        self.names = frozenset(self._archive.namelist())
        # The directory of a pack that is cut short is taken to be that of its last member.
        if not all(map(_MEMBER.fullmatch, self.names)):
            self._archive.close()
            raise zipfile.BadZipFile(f"{path}: members of other names")

    @property
    def part(self) -> str:
        """Which part of a job wrote it; empty where one process does the whole."""
        return _order(self.path.name)[1]

    def read(self, name: str) -> bytes | None:
        """Return a member; None where it is damaged."""
        try:
            return self._archive.read(name)
        except (*_DAMAGED, OSError):
            return None

    def remove(self) -> None:
        """Close and remove it."""
        self._archive.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close it."""
        self._archive.close()


class Packs:
    """The packs of a folder; of a result that several have, the newest counts.

    Parameters
    ----------
    folder
        Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._packs: dict[str, Pack] = {}
        self._holder: dict[str, Pack] = {}
        self._damaged: set[str] = set()

    def __contains__(self, name: object) -> bool:
        return name in self._holder

    def look(self, listed: Iterable[str]) -> None:
        """Take up what a listing of the folder holds, and forget what is gone."""
        found = {name for name in listed if _NAME.fullmatch(name)}
        for name in self._packs.keys() - found:
            self._packs.pop(name).close()
        for name in sorted(found - self._packs.keys() - self._damaged):
            self._open(name)
        self._holder = {}
        for name in sorted(self._packs, key=_order):
            self._holder.update(dict.fromkeys(self._packs[name].names, self._packs[name]))

    def _open(self, name: str) -> None:
        try:
            self._packs[name] = Pack(self._folder / name)
        except FileNotFoundError:
            return  # another process has put what it held into a newer one
        except _DAMAGED:
            self._damaged.add(name)
            log.warning(
                "%s: damaged; what it held is done again, the file can be removed",
                self._folder / name,
            )

    def read(self, name: str) -> bytes | None:
        """Return a result; None where none has it, or where it is damaged."""
        holder = self._holder.get(name)
        return None if holder is None else holder.read(name)

    def live(self, pack: Pack) -> list[str]:
        """Return the results of a pack that no newer one has."""
        return sorted(name for name in pack.names if self._holder.get(name) is pack)

    def of_part(self, part: str) -> Iterator[Pack]:
        """Yield the packs that a part of the job wrote, the newest first."""
        names = sorted(self._packs, key=_order, reverse=True)
        yield from (one for name in names if (one := self._packs[name]).part == part)

    def __iter__(self) -> Iterator[Pack]:
        return iter(list(self._packs.values()))

    def write(self, results: Mapping[str, bytes], part: str) -> None:
        """Write a pack that is newer than all others, and have it on the disk.

        Raises
        ------
        OSError
            There is no place for it; nothing has changed.
        """
        numbers = [_order(name)[0] for name in {*self._packs, *self._damaged}]
        name = f"pack-{max(numbers, default=0) + 1:05d}{f'-{part}' if part else ''}.zip"
        with (
            atomic_write(self._folder / name) as handle,
            zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive,
        ):
            for member, content in results.items():
                archive.writestr(zipfile.ZipInfo(member), content)
        sync_folder(self._folder)
        written = Pack(self._folder / name)
        if written.names != results.keys():
            written.close()
            raise OSError(f"{written.path}: not what was written")
        written.close()


def is_pack(name: str) -> bool:
    """Tell whether a file's name is that of a pack."""
    return _NAME.fullmatch(name) is not None


def _order(name: str) -> tuple[int, str]:
    """Return the number and the part that a pack's name tells, by which packs are sorted."""
    found = _NAME.fullmatch(name)
    assert found is not None
    return int(found[1]), found[2] or ""


def read_files(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return the small files of some results; one that cannot be read stays what it is."""
    found = {}
    for name in names:
        try:
            found[name] = (folder / name).read_bytes()
        except OSError:
            continue
    return found


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove small files, once a pack holds them."""
    for name in names:
        os.unlink(folder / name)
