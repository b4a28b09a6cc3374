"""A signal asks a job to stop; the job stops at its next check."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from frostpick.errors import JobStopped
from frostpick.runtime.reporter import Reporter

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StoppedBySignal(JobStopped):
    """A signal asked a job to stop.

    Parameters
    ----------
    number
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


class StopSignals:
    """Turns SIGTERM, SIGINT and SIGHUP into a request that `ReporterWithSignals` sees.

    The handler only notes the signal, so that nothing is cut in two. A second
    SIGINT raises `JobStopped` where the job is, for somebody at a keyboard who
    will not wait; while the host is told of the end (`closing`) it does not.
    A signal that the parent ignores (``nohup``, a background job of ``sh``)
    stays ignored. Outside the main thread nothing is installed.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._interrupts = 0
        self._closing = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def closing(self) -> None:
        """From now on only note signals: the end of the job is being written."""
        self._closing = True

    def raise_if_received(self) -> None:
        """Raise `JobStopped` once a signal has come."""
        if self.received is not None:
            raise StoppedBySignal(self.received)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or number
        if number == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts > 1 and not self._closing:
                raise JobStopped("stopped by a second SIGINT")


class ReporterWithSignals:
    """A host's reporter whose `check` also sees the signals."""

    def __init__(self, inner: Reporter, signals: StopSignals) -> None:
        self._inner = inner
        self._signals = signals

    def stage(self, name: str, total: int) -> None:
        """Pass on."""
        self._inner.stage(name, total)

    def advance(self, n: int = 1, **metrics: float) -> None:
        """Pass on."""
        self._inner.advance(n, **metrics)

    def figure(self, name: str, png: bytes, caption: str) -> None:
        """Pass on."""
        self._inner.figure(name, png, caption)

    def check(self) -> None:
        """Raise `JobStopped` after a signal, or when the host wants the job to stop."""
        self._signals.raise_if_received()
        self._inner.check()
