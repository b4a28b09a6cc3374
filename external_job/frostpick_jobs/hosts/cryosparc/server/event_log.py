"""The job's event log: text, one progress line that updates in place, pictures."""

from __future__ import annotations

import io
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from frostpick.errors import spelled, worded
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.errors import cut, detail
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.job.spelling import in_cryosparc

log = logging.getLogger(__name__)

#: Longest text of one event; the captions of pictures travel in a URL.
LONGEST_TEXT = 8000
LONGEST_CAPTION = 300
#: The event log has a progress line of its own.
PROGRESS = "frostpick_jobs.job.progress"
LEVELS = {logging.WARNING: "warning", logging.ERROR: "error", logging.CRITICAL: "error"}


@dataclass(frozen=True)
class _Entry:
    text: str
    level: str = "text"
    name: str | None = None
    png: bytes | None = None


class EventLog:
    """Sends events from a thread of its own, so that no request ever holds up the job.

    Lines that come close together become one event; of several progress lines only
    the last is sent. What cannot be sent is dropped: the terminal has it too.

    Parameters
    ----------
    seconds
        Least time between two sendings.
    """

    def __init__(self, job: ExternalJob, seconds: float = 2.0) -> None:
        self._job, self._seconds = job, seconds
        self._queue: queue.Queue[_Entry | None] = queue.Queue(maxsize=10_000)
        self._lost = 0
        self._closing = threading.Event()
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="event-log", daemon=True)
        self._thread.start()

    def text(self, text: str, level: str = "text", name: str | None = None) -> None:
        """Write a text; one with a name replaces the last of that name."""
        self._put(_Entry(cut(text, LONGEST_TEXT), level, name))

    def plot(self, png: bytes, caption: str) -> None:
        """Show a picture."""
        self._put(_Entry(cut(caption, LONGEST_CAPTION), png=png))

    def close(self, timeout: float = 30.0, check: Callable[[], None] = lambda: None) -> None:
        """Send what is left, and wait for it; what was waited for in vain is not again.

        Parameters
        ----------
        check
            Called while waiting; raises to wait no longer.
        """
        if self._given_up or not self._thread.is_alive():
            return
        self._closing.set()
        end = time.monotonic() + timeout
        try:
            self._queue.put(None, timeout=min(timeout, 1.0))
        except queue.Full:
            self._given_up = True
            return
        while self._thread.is_alive() and time.monotonic() < end:
            check()
            self._thread.join(0.1)
        self._given_up = True
        if self._lost:
            log.debug("%d events did not reach the event log", self._lost)

    def _put(self, entry: _Entry) -> None:
        try:
            self._queue.put_nowait(entry)
        except queue.Full:
            self._lost += 1

    def _run(self) -> None:
        last = False
        while not last:
            entries, last = self._gather()
            for entry in merge(entries):
                self._send(entry)
            if not last:
                self._closing.wait(self._seconds)

    def _gather(self) -> tuple[list[_Entry], bool]:
        entries: list[_Entry] = []
        entry = self._queue.get()
        while entry is not None:
            entries.append(entry)
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return entries, False
        return entries, True

    def _send(self, entry: _Entry) -> None:
        controller = self._job.controller
        try:
            if entry.png is None:
                client_versions.log_text(controller, entry.text, entry.level, entry.name)
            else:
                controller.log_plot(io.BytesIO(entry.png), entry.text, formats=["png"])
        except Exception as error:
            self._lost += 1
            log.debug("event log: %s", detail(error))


class EventLogHandler(logging.Handler):
    """Copies the log of frostpick to the event log."""

    def __init__(self, events: EventLog) -> None:
        super().__init__(logging.INFO)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, but for progress and the event log's own trouble."""
        if record.name in (__name__, PROGRESS):
            return
        text = spelled(worded(record), in_cryosparc)
        self._events.text(text, LEVELS.get(record.levelno, "text"))


def merge(entries: list[_Entry]) -> list[_Entry]:
    """Join neighbouring texts of one level, and keep the last of each name."""
    last = {entry.name: entry for entry in entries if entry.name is not None}
    out: list[_Entry] = []
    for entry in entries:
        if entry.name is not None and last[entry.name] is not entry:
            continue
        before = out[-1] if out else None
        if (
            before is not None
            and (before.name, before.png, entry.name, entry.png) == (None,) * 4
            and before.level == entry.level
            and len(before.text) + len(entry.text) < LONGEST_TEXT
        ):
            out[-1] = _Entry(f"{before.text}\n{entry.text}", entry.level)
        else:
            out.append(entry)
    return out
