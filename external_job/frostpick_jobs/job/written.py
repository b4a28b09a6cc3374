"""Names noted before what they name is written: how a job knows its own files later."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from frostpick.runtime.atomic import write_text


class WrittenNames:
    """Names (ids of micrographs, paths) noted before their files are written.

    The note lives through a kill at any time.

    Parameters
    ----------
    path
        The note: one JSON text a line, appended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = dict.fromkeys(_read(path))

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)

    def note(self, *names: str) -> None:
        """Note names, each once."""
        new = [one for one in dict.fromkeys(names) if one not in self._names]
        if not new:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a", encoding="ascii") as handle:
            handle.write("".join(f"\n{json.dumps(one)}" for one in new))
        self._names.update(dict.fromkeys(new))

    def stale(self, current: Iterable[str]) -> list[str]:
        """Return the noted names that are not among ``current``."""
        now = set(current)
        return [one for one in self._names if one not in now]

    def keep_only(self, current: Iterable[str]) -> None:
        """Note ``current`` and nothing else."""
        self._names = dict.fromkeys(current)
        write_text(self._path, "".join(f"\n{json.dumps(one)}" for one in self._names))


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except (OSError, UnicodeDecodeError):
        return []
    names: list[str] = []
    for line in lines:
        try:
            found = json.loads(line) if line else None
        except ValueError:
            continue
        if isinstance(found, str):
            names.append(found)
    return names
