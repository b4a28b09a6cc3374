"""Read ahead of the one thread that computes, within a bound, keeping the order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Seconds between two looks at a stop request while waiting for a reader.
PATIENCE = 0.2


def read_ahead(
    items: Iterable[T], read: Callable[[T], R], readers: int, check: Callable[[], None]
) -> Generator[tuple[T, Future[R]], None, None]:
    """Yield every item, in order, with the finished future of ``read(item)``.

    At most ``readers`` results wait or are being read; with the one the caller holds
    ``readers + 1`` exist, provided the caller has dropped it before asking for the next.
    When the iterator is closed, or ``check`` raises, no further item is read and the
    readers have ended on return.

    Parameters
    ----------
    items
        Taken one by one, as they are needed.
    read
        Called in a reader thread; what it raises is in the future.
    readers
        Threads.
    check
        Called before every item and while waiting; raises to stop.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    remaining = iter(items)
    with ThreadPoolExecutor(readers, thread_name_prefix="reader") as pool:
        try:
            while True:
                check()
                while len(waiting) < readers and (item := next(remaining, _END)) is not _END:
                    waiting.append((item, pool.submit(read, item)))  # type: ignore[arg-type]
                if not waiting:
                    return
                _wait(waiting[0][1], check)
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                future.cancel()


_END = object()


def _wait(future: Future[R], check: Callable[[], None]) -> None:
    while True:
        try:
            future.exception(timeout=PATIENCE)
            return
        except NotYet:
            check()
