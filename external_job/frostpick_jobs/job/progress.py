"""Progress with time left: a bar on a terminal, lines in a log; and stop requests."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from frostpick.errors import JobStopped
from frostpick.runtime.reporter import Reporter

log = logging.getLogger(__name__)

#: Most lines a stage of many steps logs, not counting those that break a silence.
LINES = 50
SHORTEST_SILENCE, LONGEST_SILENCE = 2.0, 60.0


class StopHook(Protocol):
    """Asked at each `Reporter.check`; a text is the reason to stop, None means go on."""

    def __call__(self) -> str | None:
        """Return why to stop, or None."""
        ...


class FileAppears:
    """A stop hook: a program stops a job by touching a file.

    Parameters
    ----------
    path
        The file, e.g. RELION's ``RELION_JOB_ABORT_NOW``.
    seconds
        The disk is asked at most this often, for it may be a network disk and
        `check` is called thousands of times a minute.
    """

    def __init__(
        self, path: Path, seconds: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._seconds, self._clock = path, seconds, clock
        self._next = -float("inf")

    def __call__(self) -> str | None:
        """Return the reason when the file is there."""
        now = self._clock()
        if now < self._next:
            return None
        self._next = now + self._seconds
        return f"stopped by {self._path}" if self._path.exists() else None


class LineReporter:
    """Progress as lines of the log: at most 50 a stage, and one a minute when it is slow.

    Parameters
    ----------
    stop
        Asked at each `check`.
    clock
        Running time in seconds.
    """

    def __init__(
        self, stop: StopHook | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stop, self._clock = stop, clock
        self._lock = threading.Lock()
        self._begin("", 0)

    def _begin(self, name: str, total: int) -> None:
        self._name, self._total, self._done = name, total, 0
        self._said = self._clock()
        self._pace = Pace(total, self._said)
        self._said_at = 0

    def stage(self, name: str, total: int) -> None:
        """Start a stage."""
        with self._lock:
            self._begin(name, total)

    def advance(self, n: int = 1, **metrics: float) -> None:
        """Count, and log a line where one is due."""
        with self._lock:
            self._done += n
            now = self._clock()
            left = self._pace.left(self._done, now)
            step = max(1, -(-self._total // LINES))
            silence = now - self._said
            due = self._done - self._said_at >= step and silence >= SHORTEST_SILENCE
            if not due and silence < LONGEST_SILENCE and self._done != self._total:
                return
            self._said_at, self._said = self._done, now
            log.info("%s: %d of %d%s%s", self._name, self._done, self._total, left, shown(metrics))

    def figure(self, name: str, png: bytes, caption: str) -> None:
        """Ignore: pictures are in the report."""

    def check(self) -> None:
        """Raise `JobStopped` when the hook says so."""
        raise_if_stopped(self._stop)

    def close(self) -> None:
        """Nothing is left open."""


class BarReporter:
    """Progress as a bar on a terminal, one a stage, left there when the stage is done.

    Parameters
    ----------
    stop
        Asked at each `check`.
    """

    def __init__(self, stop: StopHook | None = None) -> None:
        self._stop = stop
        self._bar: _Bar | None = None

    def stage(self, name: str, total: int) -> None:
        """Start a bar; none for a stage without steps."""
        self.close()
        self._bar = _Bar(name, total) if total else None

    def advance(self, n: int = 1, **metrics: float) -> None:
        """Move the bar."""
        if self._bar is not None and self._bar.move(n, shown(metrics).strip(", ")):
            self.close()

    def figure(self, name: str, png: bytes, caption: str) -> None:
        """Ignore: pictures are in the report."""

    def check(self) -> None:
        """Raise `JobStopped` when the hook says so."""
        raise_if_stopped(self._stop)

    def close(self) -> None:
        """Give the terminal back."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


class _Bar:
    """One bar of rich, alive from its making to `close`."""

    def __init__(self, name: str, total: int) -> None:
        from rich import progress
        from rich.console import Console

        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[metrics]}"),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(name, total=total, metrics="")
        self._progress.start()

    def move(self, n: int, metrics: str) -> bool:
        """Move on, and tell whether the end is reached."""
        self._progress.update(self._task, advance=n, metrics=metrics)
        return self._progress.finished

    def close(self) -> None:
        self._progress.stop()


class ClosingReporter(Reporter, Protocol):
    """A reporter that gives back what it holds at the end of a job."""

    def close(self) -> None:
        """Give back the terminal."""
        ...


def terminal_reporter(stop: StopHook | None = None) -> ClosingReporter:
    """Return a bar when standard error is a terminal, lines otherwise."""
    return BarReporter(stop) if sys.stderr.isatty() else LineReporter(stop)


def raise_if_stopped(stop: StopHook | None) -> None:
    """Raise `JobStopped` with the hook's reason, where there is one."""
    reason = None if stop is None else stop()
    if reason is not None:
        raise JobStopped(reason)


class Pace:
    """How fast a stage goes, from its first report on.

    A job that goes on reports at once what it did before; that took no time here.

    Parameters
    ----------
    total
        Steps of the stage.
    now
        When it begins, in seconds.
    """

    def __init__(self, total: int, now: float) -> None:
        self._total, self._since, self._before = total, now, 0
        self._reported = False

    def left(self, done: int, now: float) -> str:
        """Take a report, and return the time left as `seconds_left` words it."""
        left = seconds_left(done, self._total, now - self._since, self._before)
        if not self._reported:
            self._reported, self._since, self._before = True, now, done
        return left


def seconds_left(done: int, total: int, elapsed: float, before: int = 0) -> str:
    """Return ``, 0:12:30 left`` at the mean pace so far; empty at the end.

    Parameters
    ----------
    elapsed
        Seconds in which all but ``before`` of the steps were done.
    """
    if not before < done < total:
        return ""
    seconds = round(elapsed / (done - before) * (total - done))
    return f", {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left"


def shown(metrics: dict[str, float]) -> str:
    """Return ``, loss 0.123`` for each metric."""
    return "".join(f", {name} {value:.4g}" for name, value in metrics.items())
