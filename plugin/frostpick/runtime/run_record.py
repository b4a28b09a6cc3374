"""What a run leaves on record, so that its result can be explained and repeated."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from frostpick._version import __version__

LIBRARIES = ("torch", "numpy", "scipy", "mrcfile", "safetensors", "pydantic")


class RunRecord:
    """Collects versions, settings, times and counts of one run.

    Holds what the science depends on and nothing else: no environment, no
    user name, no secret.

    Parameters
    ----------
    task
        ``train``, ``pick``, ...
    host
        Kind of the host: ``folder``, ``relion``, ...
    settings
        Resolved settings, as JSON values.
    wall, clock
        Time of day and running time, in seconds.
    """

    def __init__(
        self,
        task: str,
        host: str,
        settings: Mapping[str, Any],
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._clock = wall, clock
        self._began = clock()
        self._stages: dict[str, float] = {}
        self._fields: dict[str, Any] = {
            "task": task,
            "host": host,
            "versions": versions(),
            "settings": dict(settings),
            "started": _iso(wall()),
        }

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the running time of a ``with`` block to the stage ``name``."""
        began = self._clock()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + self._clock() - began

    def add(self, **fields: Any) -> None:
        """Add fields; a later value replaces an earlier one of the same name."""
        self._fields.update(fields)

    def warn(self, text: str) -> None:
        """Add a warning that a report shows at its top."""
        self._fields["warnings"] = [*self._fields.get("warnings", ()), text]

    def finished(self) -> dict[str, Any]:
        """Return the record as JSON values, with the end time and the seconds of each stage."""
        fields = dict(self._fields)
        fields["ended"] = _iso(self._wall())
        fields["seconds"] = {**self._stages, "total": self._clock() - self._began}
        return {name: plain(value) for name, value in fields.items()}


def versions() -> dict[str, str]:
    """Return the versions of frostpick, Python and the libraries that touch the numbers."""
    found = {"frostpick": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = "unknown"
    return found


def plain(value: Any) -> Any:
    """Return a JSON value: arrays as lists, paths as text, NaN and infinity as None."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        number = round(float(value), 6)
        return number if math.isfinite(number) else None
    if isinstance(value, (np.bool_, np.integer)):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (Sequence, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return value.as_posix()
    return str(value)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
