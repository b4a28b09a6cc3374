"""Wait for an answer so that a stop is seen, and the user knows what is waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two looks at a stop request.
LOOK = 0.2
#: Seconds of waiting after which it is said what for, and after which it is said again.
FIRST_WORD, NEXT_WORD = 5.0, 60.0


class Waiting:
    """The waiting for one request, all its attempts together.

    Parameters
    ----------
    what
        For the message: ``CryoSPARC at http://...: save particles``.
    check
        Called while waiting; raises to stop. The request itself is then left alone.
    """

    def __init__(self, what: str, check: Callable[[], None]) -> None:
        self._what, self._check = what, check
        self._due = time.monotonic() + FIRST_WORD
        #: What the server said to the last attempt.
        self.said = ""

    def answer(self, request: Callable[[], T], hang: float | None = None) -> T:
        """Return what a request returns, or raise what it raises.

        Parameters
        ----------
        hang
            Seconds after which it is given up; None leaves that to the client.

        Raises
        ------
        TimeoutError
            No answer for so long.
        """
        future: Future[T] = Future()
        thread = threading.Thread(target=_run, args=(request, future), name="request", daemon=True)
        end = None if hang is None else time.monotonic() + hang
        thread.start()
        while not wait([future], LOOK).done:
            self._look()
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"no answer within {hang:g} s")
        return future.result()

    def pause(self, seconds: float) -> None:
        """Wait before the next attempt."""
        end = time.monotonic() + seconds
        self._look()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(LOOK, left))
            self._look()

    def _look(self) -> None:
        self._check()
        now = time.monotonic()
        if now >= self._due:
            self._due = now + NEXT_WORD
            log.info("waiting for %s%s", self._what, f" ({self.said})" if self.said else "")


def _run(request: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(request())
    except BaseException as error:
        future.set_exception(error)
