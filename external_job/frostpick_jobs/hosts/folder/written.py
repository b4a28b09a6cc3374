"""Which per-micrograph files a job wrote, so that it can take back stale ones, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from frostpick.runtime.atomic import write_text


class WrittenIds:
    """Ids noted before their files are written; lives through a kill at any time.

    Parameters
    ----------
    path
        The note: one JSON text a line, appended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids = dict.fromkeys(_read(path))

    def note(self, micrograph_id: str) -> None:
        """Note an id, once."""
        if micrograph_id in self._ids:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a", encoding="ascii") as handle:
            handle.write(f"\n{json.dumps(micrograph_id)}")
        self._ids[micrograph_id] = None

    def stale(self, current: Iterable[str]) -> list[str]:
        """Return the noted ids that are not among ``current``."""
        now = set(current)
        return [one for one in self._ids if one not in now]

    def keep_only(self, current: Iterable[str]) -> None:
        """Note ``current`` and nothing else."""
        self._ids = dict.fromkeys(current)
        write_text(self._path, "".join(f"\n{json.dumps(one)}" for one in self._ids))


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except (OSError, UnicodeDecodeError):
        return []
    ids: list[str] = []
    for line in lines:
        try:
            found = json.loads(line) if line else None
        except ValueError:
            continue
        if isinstance(found, str):
            ids.append(found)
    return ids
