"""Progress of a task to the terminal and, in one line that updates, to the event log."""

from __future__ import annotations

import time
from collections.abc import Callable

from frostpick_jobs.hosts.cryosparc.server.event_log import EventLog
from frostpick_jobs.job.progress import ClosingReporter, Pace, shown


class CryoSPARCReporter:
    """Passes progress on, pictures to the event log, and stop requests from the status watch.

    Parameters
    ----------
    terminal
        The reporter of the terminal; its `check` knows of a kill from the web page.
    seconds
        Least time between two progress lines of the event log.
    """

    def __init__(
        self,
        terminal: ClosingReporter,
        seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal, self._seconds, self._clock = terminal, seconds, clock
        self._events: EventLog | None = None
        self._said = -float("inf")
        self._begin("", 0)

    def attach(self, events: EventLog) -> None:
        """Write to an event log from now on."""
        self._events = events

    def stage(self, name: str, total: int) -> None:
        """Start a stage."""
        self._terminal.stage(name, total)
        self._begin(name, total)

    def advance(self, n: int = 1, **metrics: float) -> None:
        """Count, and update the line where it is due."""
        self._terminal.advance(n, **metrics)
        self._done += n
        now = self._clock()
        left = self._pace.left(self._done, now)
        if self._events is None or (now - self._said < self._seconds and self._done < self._total):
            return
        self._said = now
        text = f"{self._name}: {self._done} of {self._total}{left}{shown(metrics)}"
        self._events.text(text, name=f"progress {self._name}")

    def figure(self, name: str, png: bytes, caption: str) -> None:
        """Show a picture in the event log."""
        if self._events is not None:
            self._events.plot(png, caption or name)

    def check(self) -> None:
        """Raise `JobStopped` when the job is not ours any more."""
        self._terminal.check()

    def close(self) -> None:
        """Give the terminal back."""
        self._terminal.close()

    def _begin(self, name: str, total: int) -> None:
        self._name, self._total, self._done = name, total, 0
        self._pace = Pace(total, self._clock())
        self._said = -float("inf")
