"""What a process tells the one that started it: log records, and the error that ended it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import torch

import frostpick.errors
from frostpick.errors import DeviceError, FrostpickError, worded


@dataclass(frozen=True)
class Ending:
    """Why a process ended before its work was done, in plain values.

    Parameters
    ----------
    kind
        Class of the error.
    text
        Its message, of a `FrostpickError` with the marks of options.
    trace
        Its traceback.
    system
        ``errno`` and file name of an `OSError`.
    """

    kind: str
    text: str
    trace: str
    system: tuple[int, str | None] | None = None

    @classmethod
    def by(cls, error: BaseException) -> Ending:
        """Describe an error: not every exception survives the way."""
        kind, text, system = type(error).__name__, str(error), None
        if isinstance(error, FrostpickError):
            # one with a constructor of its own is told as its base, by its sentence
            known = getattr(frostpick.errors, kind, None) is type(error)
            plain = type(error).__init__ is FrostpickError.__init__
            kind = kind if known and plain else "FrostpickError"
            text = error.template
        if isinstance(error, OSError) and error.errno is not None:
            name = None if error.filename is None else str(error.filename)
            kind, text, system = "OSError", error.strerror or text, (error.errno, name)
        return cls(kind, text, "".join(traceback.format_exception(error)), system)

    def error(self, device: torch.device) -> BaseException:
        """Return the error as the same one in this process would be."""
        kind = getattr(frostpick.errors, self.kind, None)
        if isinstance(kind, type) and issubclass(kind, FrostpickError):
            return kind(self.text)
        if self.system is not None:
            return OSError(self.system[0], self.text, self.system[1])
        if self.kind == "OutOfMemoryError":
            return DeviceError(f"{device} ran out of memory ({self.text.splitlines()[0]})")
        if self.kind == "MemoryError" or "allocate memory" in self.text:
            return MemoryError(self.text)
        return RuntimeError(f"{self.kind}: {self.text}")


class LogSender(logging.Handler):
    """Sends log records as plain values, whatever their arguments were.

    Parameters
    ----------
    send
        Called with a `logging.LogRecord` that any process can read.
    """

    def __init__(self, send: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        plain = {"name": record.name, "levelno": record.levelno, "levelname": record.levelname}
        try:
            self._send(logging.makeLogRecord({**plain, "msg": worded(record)}))
        except OSError:
            pass  # the parent has gone; whoever works will notice
