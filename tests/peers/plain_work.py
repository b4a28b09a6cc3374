"""Work that another process can import, and an executor written from scratch."""

from __future__ import annotations

import logging
import multiprocessing
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from waits import wait_until

from frostpick.runtime.executors.base import Resources, through

PROCESS = partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"))

log = logging.getLogger("frostpick.plain")


@dataclass(frozen=True)
class Squares:
    """Squares numbers and notes the process that did; -1 is a bug.

    Where it is noted, 0 waits until another process has done more than it is given at a time:
    the first of that has then arrived.
    """

    notes: Path | None = None

    doing: ClassVar[str] = "squaring"
    died: ClassVar[str] = "squaring on {device} died ({how})"
    most_readers: ClassVar[int] = 2
    most_given: ClassVar[int] = 3

    def begin(self, resources):
        """Set up."""
        log.info("begun with %d threads", resources.threads)
        return self

    def read(self, number):
        """Read a number: its text."""
        return str(number)

    def do(self, number, reading):
        """Square what was read."""
        assert reading.done()
        if number == -1:
            raise KeyError("a bug")
        if self.notes is not None:
            if number == 0:
                wait_until(lambda: len(notes_of_others(self.notes)) > self.most_given)
            (self.notes / f"{number}.{os.getpid()}").touch()
        return int(reading.result()) ** 2


class Unreadable:
    """An item that can be sent and not be read."""

    def __reduce__(self):
        return int, ("no number",)


class Backwards:
    """A toy: all items at once, the last one first, in one process or thread of its own."""

    devices = (torch.device("cpu"),)
    threads = 1

    def __init__(self, pool=PROCESS):
        self.pool, self.done = pool, []

    def run(self, work, items, reporter, *, ordered=True):
        """See `frostpick.runtime.executors.base.Executor`."""
        reporter.check()
        items = list(items)[::-1]
        with self.pool(1) as pool:
            made = pool.submit(do_all, work, items).result()
        self.done += items
        pairs = list(zip(items, made, strict=True))
        yield from reversed(pairs) if ordered else pairs


def do_all(work, items):
    """Do items in the toy's process."""
    return [made for _, made in through(work, items, Resources(), lambda: None)]


class Warns(Squares):
    """Work in which a library warns."""

    def do(self, number, reading):
        """Square with a warning."""
        warnings.warn(f"a library's words on {number}", RuntimeWarning, stacklevel=1)
        return super().do(number, reading)


def notes_of_others(folder):
    """Return what other processes than this one have noted."""
    return [note for note in folder.iterdir() if note.suffix != f".{os.getpid()}"]
