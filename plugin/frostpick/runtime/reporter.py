"""What a running task says to whoever started it."""

from __future__ import annotations

from typing import Protocol

from frostpick.errors import JobStopped


class Reporter(Protocol):
    """Progress out, stop requests in. Text goes through ``logging``, not through this."""

    def stage(self, name: str, total: int) -> None:
        """Start a stage of ``total`` steps (micrographs or training steps)."""
        ...

    def advance(self, n: int = 1, **metrics: float) -> None:
        """Say that ``n`` more steps are done, with the latest metrics."""
        ...

    def figure(self, name: str, png: bytes, caption: str) -> None:
        """Hand over a finished picture."""
        ...

    def check(self) -> None:
        """Raise `JobStopped` when the job is to stop. Called at each micrograph and step."""
        ...


class SilentReporter:
    """A reporter for scripts and tests: says nothing, and stops only when told to."""

    def __init__(self) -> None:
        self.stop_requested = False

    def stage(self, name: str, total: int) -> None:
        """Ignore."""

    def advance(self, n: int = 1, **metrics: float) -> None:
        """Ignore."""

    def figure(self, name: str, png: bytes, caption: str) -> None:
        """Ignore."""

    def check(self) -> None:
        """Raise `JobStopped` once ``stop_requested`` is set."""
        if self.stop_requested:
            raise JobStopped("stopped")
