"""The folder of stored results: what resume, select and the combined outputs read."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frostpick.errors import FrostpickError
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick_jobs.store.keys import PickKey, text_digest
from frostpick_jobs.store.packs import FULL, Pack, Packs, read_files, remove_files
from frostpick_jobs.store.result_file import StoredPicks, read_result, write_result

log = logging.getLogger(__name__)

#: What a small file of a result ends with.
SMALL = ".npz"


class Repicked:
    """Counts why stored results did not hold, for one line of the log."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()

    def add(self, reason: str) -> None:
        """Count one micrograph."""
        self._reasons[reason] += 1

    def line(self) -> str:
        """Return e.g. ``model changed: 120 micrographs picked again``; empty when none were."""
        return "; ".join(
            f"{reason}: {n} micrograph{'s' if n > 1 else ''} picked again"
            for reason, n in self._reasons.most_common()
        )


class PickStore:
    """Per-micrograph results and small states of a picking job.

    A failure is not kept: without a result the micrograph is tried again.

    A result is a small file first, safe as soon as it is there. A thousand of them become one
    pack (`frostpick_jobs.store.packs`), and are removed when that is on the disk; a small file
    that is there is newer than what a pack has of its micrograph, or the same.

    One process writes at a time (`frostpick_jobs.job.lock`), or several parts of a job that
    have no micrograph in common. Names are hashes, so that any id is safe; the id inside is what
    counts. The folder is listed once.

    Parameters
    ----------
    folder
        The host's spool.
    part
        A word for the packs of this process where several work side by side in one folder: it
        packs what it put or held, and nothing of the others.
    full
        Results in a pack.
    """

    def __init__(self, folder: Path, part: str = "", full: int = FULL) -> None:
        self._folder, self._part, self._full = folder, part, full
        self._results = folder / "picks"
        self._results.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        self._packs = Packs(self._results)
        self._packing = True
        self._small: set[str] = set()
        self._mine: set[str] = set()
        self._look()

    @property
    def folder(self) -> Path:
        """The host's spool."""
        return self._folder

    def held(self, key: PickKey, repicked: Repicked | None = None) -> StoredPicks | None:
        """Return the stored result of ``key.micrograph`` if it is whole and has this key."""
        name = _name(key.micrograph)
        if name not in self._small and name not in self._packs:
            return None
        stored = self._read(key.micrograph)
        reason = "damaged result" if stored is None else key.change_from(stored[1])
        if reason is not None and repicked is not None:
            repicked.add(reason)
        if name in self._small and reason is None:
            self._mine.add(name)
        return stored[0] if stored is not None and reason is None else None

    def put(self, key: PickKey, result: StoredPicks) -> None:
        """Store a result in place of an older one; a thousand of them are packed."""
        name = _name(key.micrograph)
        write_result(self._results / name, result, key.parts())
        self._small.add(name)
        self._mine.add(name)
        if len(self._mine) >= self._full:
            self._pack_small()

    def get(self, micrograph_id: str) -> StoredPicks:
        """Return a stored result; `FrostpickError` when it is gone."""
        stored = self._read(micrograph_id)
        if stored is None:
            self._look()  # another process may have put or packed it
            stored = self._read(micrograph_id)
        if stored is None:
            path = self._results / _name(micrograph_id)
            raise FrostpickError(
                f"{path}: the stored result of {micrograph_id} is gone or damaged; continue the job"
            )
        return stored[0]

    def settle(self) -> None:
        """Take up what other processes have put, and pack the rest, unless it is little.

        What is left in small files is less than an eighth of a pack: the rounds of a session
        that grows by a few micrographs write no pack anew for each of them. Packs of which
        newer ones have everything are removed.
        """
        self._look()
        if len(self._mine) >= max(1, self._full // 8):
            self._pack_small()
        try:
            for one in self._packs if not self._part else self._packs.of_part(self._part):
                if not self._packs.live(one):
                    one.remove()
        except OSError as error:
            self._stay_small(error)
        self._look()

    def _read(self, micrograph_id: str) -> tuple[StoredPicks, dict[str, Any]] | None:
        name = _name(micrograph_id)
        if name in self._small:
            return read_result(self._results / name, micrograph_id)
        content = self._packs.read(name)
        return None if content is None else read_result(content, micrograph_id)

    def _look(self) -> None:
        with os.scandir(self._results) as entries:
            names = {entry.name for entry in entries}
        self._small = {name for name in names if name.endswith(SMALL)}
        self._mine = self._mine & self._small if self._part else set(self._small)
        self._packs.look(names)

    def _pack_small(self) -> None:
        """Put small files into packs; where there is no room for one, they stay."""
        if not self._packing:
            return
        names = sorted(self._mine)
        try:
            for first in range(0, len(names), self._full):
                chunk = read_files(self._results, names[first : first + self._full])
                self._packs.write({**self._to_fill(len(chunk)), **chunk}, self._part)
                remove_files(self._results, chunk)
                self._look()
        except OSError as error:
            self._stay_small(error)
            self._look()

    def _to_fill(self, count: int) -> dict[str, bytes]:
        """Return what an earlier pack has, if there is one to which ``count`` results fit.

        A result that is a small file, too, is newer there, and is left out.
        """
        for one in self._packs.of_part(self._part):
            live = [name for name in self._packs.live(one) if name not in self._small]
            if 0 < len(live) <= self._full - count:
                return self._members(one, live)
        return {}

    @staticmethod
    def _members(pack: Pack, names: list[str]) -> dict[str, bytes]:
        read = {name: pack.read(name) for name in names}
        return {name: content for name, content in read.items() if content is not None}

    def _stay_small(self, error: OSError) -> None:
        """Say that packing came to nothing: every result is where it was."""
        self._packing = False
        log.warning(
            "%s: finished micrographs stay in small files (%s); nothing is lost",
            self._results,
            error.strerror or error,
        )

    def read_state(self, name: str) -> dict[str, Any]:
        """Return a state written by `write_state`; empty when missing or damaged."""
        return _read_json(self._folder / f"{name}.json")

    def write_state(self, name: str, state: Mapping[str, Any]) -> None:
        """Write a state as JSON, atomically."""
        write_text(self._folder / f"{name}.json", json.dumps(state, indent=1) + "\n")

    def forget_state(self, name: str) -> None:
        """Remove a state, if there is one."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)


def _name(micrograph_id: str) -> str:
    return f"{text_digest(micrograph_id)[:40]}{SMALL}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
