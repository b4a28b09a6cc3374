"""The folder of stored results: what resume, select and the combined outputs read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frostpick.errors import FrostpickError
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick_jobs.store.keys import PickKey, text_digest
from frostpick_jobs.store.packed_folder import SMALL, PackedFolder
from frostpick_jobs.store.packs import FULL
from frostpick_jobs.store.result_file import StoredPicks, read_result, result_bytes

#: Folder of the results, below the spool.
RESULTS = "picks"


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

    One process writes at a time (`frostpick_jobs.job.lock`), or several parts of a job that
    have no micrograph in common. Names are hashes, so that any id is safe; the id inside is what
    counts.

    Parameters
    ----------
    folder
        The host's spool.
    part, full
        As of `PackedFolder`, in which the results are.
    """

    def __init__(self, folder: Path, part: str = "", full: int = FULL) -> None:
        self._folder = folder
        (folder / RESULTS).mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        self._results = PackedFolder(folder / RESULTS, part, full)

    @property
    def folder(self) -> Path:
        """The host's spool."""
        return self._folder

    def held(self, key: PickKey, repicked: Repicked | None = None) -> StoredPicks | None:
        """Return the stored result of ``key.micrograph`` if it is whole and has this key."""
        name = _name(key.micrograph)
        if name not in self._results:
            return None
        stored = self._read(key.micrograph)
        reason = "damaged result" if stored is None else key.change_from(stored[1])
        if reason is not None and repicked is not None:
            repicked.add(reason)
        if stored is None or reason is not None:
            return None
        self._results.take(name)
        return stored[0]

    def put(self, key: PickKey, result: StoredPicks) -> None:
        """Store a result in place of an older one."""
        self._results.put(_name(key.micrograph), result_bytes(result, key.parts()))

    def get(self, micrograph_id: str) -> StoredPicks:
        """Return a stored result; `FrostpickError` when it is gone."""
        stored = self._read(micrograph_id)
        if stored is None:
            self._results.look()  # another process may have put or packed it
            stored = self._read(micrograph_id)
        if stored is None:
            path = self._results.folder / _name(micrograph_id)
            raise FrostpickError(
                f"{path}: the stored result of {micrograph_id} is gone or damaged; continue the job"
            )
        return stored[0]

    def settle(self) -> None:
        """Take up what other processes have put, and pack what is not packed (`PackedFolder`)."""
        self._results.settle()

    def _read(self, micrograph_id: str) -> tuple[StoredPicks, dict[str, Any]] | None:
        source = self._results.read(_name(micrograph_id))
        return None if source is None else read_result(source, micrograph_id)

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
