"""The folder of stored results: what resume, select and the combined outputs read."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frostpick.errors import FrostpickError
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick_jobs.store.keys import PickKey, text_digest
from frostpick_jobs.store.result_file import StoredPicks, read_result, write_result


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

    One process writes at a time (`frostpick_jobs.job.lock`). Names are hashes,
    so that any id is safe; the id inside is what counts. The folder is listed once.

    Parameters
    ----------
    folder
        The host's spool.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results = folder / "picks"
        self._results.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        with os.scandir(self._results) as entries:
            self._names = {entry.name for entry in entries}

    @property
    def folder(self) -> Path:
        """The host's spool."""
        return self._folder

    def held(self, key: PickKey, repicked: Repicked | None = None) -> StoredPicks | None:
        """Return the stored result of ``key.micrograph`` if it is whole and has this key."""
        path = self._path(key.micrograph)
        if path.name not in self._names:
            return None
        stored = read_result(path, key.micrograph)
        reason = "damaged result" if stored is None else key.change_from(stored[1])
        if reason is not None and repicked is not None:
            repicked.add(reason)
        return stored[0] if stored is not None and reason is None else None

    def put(self, key: PickKey, result: StoredPicks) -> None:
        """Store a result in place of an older one."""
        path = self._path(key.micrograph)
        write_result(path, result, key.parts())
        self._names.add(path.name)

    def get(self, micrograph_id: str) -> StoredPicks:
        """Return a stored result; `FrostpickError` when it is gone."""
        path = self._path(micrograph_id)
        stored = read_result(path, micrograph_id)
        if stored is None:
            raise FrostpickError(
                f"{path}: the stored result of {micrograph_id} is gone or damaged; continue the job"
            )
        return stored[0]

    def read_state(self, name: str) -> dict[str, Any]:
        """Return a state written by `write_state`; empty when missing or damaged."""
        return _read_json(self._folder / f"{name}.json")

    def write_state(self, name: str, state: Mapping[str, Any]) -> None:
        """Write a state as JSON, atomically."""
        write_text(self._folder / f"{name}.json", json.dumps(state, indent=1) + "\n")

    def forget_state(self, name: str) -> None:
        """Remove a state, if there is one."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def _path(self, micrograph_id: str) -> Path:
        return self._results / f"{text_digest(micrograph_id)[:40]}.npz"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
