"""What a program settles before it imports anything large: its three streams, and early stops."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: File name in the frames of an import.
_IMPORTING = "<frozen importlib._bootstrap"


class Stopped(BaseException):
    """A signal came before a job took over the signals, or after it gave them back.

    Parameters
    ----------
    number
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(told(number))
        self.status = 128 + number


def told(number: int) -> str:
    """Return what is said of a stop."""
    return f"stopped by {signal.Signals(number).name}"


def open_streams() -> None:
    """Give a process that was started without one of its three streams an empty one.

    Python has None for it, and the first file that is opened would take its number.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))


@contextmanager
def stopping_in_order(last: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Let signals end the program with one sentence and the status of its kind.

    While a module is imported the program ends at once: what an exception in the middle of
    that comes to, the module decides. At other times `Stopped` is raised. Signals that the
    parent ignores stay ignored, and so are all outside the main thread.

    Parameters
    ----------
    last
        Done before the program ends at once.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        if importing(frame):
            last()
            leave(128 + number, told(number))
        raise Stopped(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in NUMBERS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for taken, handler in before.items():
            signal.signal(taken, handler)


def leave(status: int, text: str) -> NoReturn:
    """Say one sentence, and end the process without anything else."""
    os.write(2, f"frostpick: {text}\n".encode())
    os._exit(status)


def importing(frame: FrameType | None) -> bool:
    """Tell whether a module is being imported where the program is."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False
