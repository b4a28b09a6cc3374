"""What all engines agree on: work that any process can do, its items, and what becomes of them.

A job hands an `Executor` a `Work` and its items, and takes the results one by one. The
work says what is done with an item and what a process needs for it; the executor says
where, and in how many processes. Another engine, for many machines say, is one more
class with the three members of `Executor`; in each of its processes `through` does it all.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import torch

from frostpick.runtime.read_ahead import read_ahead
from frostpick.runtime.reporter import Reporter

Item = TypeVar("Item")
Result = TypeVar("Result")
Given_contra = TypeVar("Given_contra", contravariant=True)
Made_co = TypeVar("Made_co", covariant=True)

#: Most threads that read ahead of a GPU.
MOST_READERS = 4


@dataclass(frozen=True)
class Resources:
    """What one process may use.

    Parameters
    ----------
    device
        Where it computes.
    threads
        CPU threads of the computation.
    readers
        Threads that read ahead; never changes a result.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    threads: int = 1
    readers: int = 1

    @classmethod
    def of(cls, device: torch.device, threads: int) -> Resources:
        """Return the resources of a process on a device; a GPU is worth several readers."""
        readers = max(1, min(MOST_READERS, threads)) if device.type == "cuda" else 1
        return cls(device, threads, readers)


class Hands(Protocol[Given_contra, Made_co]):
    """Work that is set up in one process."""

    def read(self, item: Given_contra) -> Any:
        """Fetch what an item needs; called in a reader thread, ahead of `do`."""
        ...

    def do(self, item: Given_contra, reading: Future[Any]) -> Made_co:
        """Do an item; ``reading`` is finished, and has what `read` returned or raised.

        What comes back goes to whoever asked for the work, so it is small where the work
        stores its own results. An error that is raised ends the job.
        """
        ...


class Work(Protocol[Given_contra, Made_co]):
    """What a job does with each of its items, the same for any process; picklable.

    Attributes
    ----------
    doing
        For the log, as in "picking on cuda:0".
    died
        Sentence for a process that died, with ``{device}`` and ``{how}``.
    most_readers
        Threads that may read ahead, for the sake of memory.
    """

    doing: ClassVar[str]
    died: ClassVar[str]
    most_readers: ClassVar[int]

    def begin(self, resources: Resources) -> Hands[Given_contra, Made_co]:
        """Set up in a process, before its first item."""
        ...


class Executor(Protocol):
    """Does the items of a job somewhere."""

    @property
    def devices(self) -> Sequence[torch.device]:
        """All devices that it uses, for the record; they settle the precision of a network."""
        ...

    @property
    def threads(self) -> int:
        """CPU threads of all its processes together, for the record."""
        ...

    def run(
        self,
        work: Work[Item, Result],
        items: Iterable[Item],
        reporter: Reporter,
        *,
        ordered: bool = True,
    ) -> Generator[tuple[Item, Result], None, None]:
        """Do every item once.

        Parameters
        ----------
        items
            Taken one by one, as they are needed; picklable where there are several processes.
        reporter
            Asked to `check` before every item and while waiting; progress is the caller's to
            report.
        ordered
            Whether results come in the order of the items, or as they are finished.

        Yields
        ------
        (item, result)
            For every item. What they are does not depend on the engine. No process or thread
            of an engine outlives the iterator.
        """
        ...


def through(
    work: Work[Item, Result],
    items: Iterable[Item],
    resources: Resources,
    check: Callable[[], None],
) -> Generator[tuple[Item, Result], None, None]:
    """Do items one after the other in this process, while readers read the next ones.

    Results come in the order of the items. Sets torch's number of threads.
    """
    torch.set_num_threads(resources.threads)
    hands = work.begin(resources)
    readers = min(resources.readers, work.most_readers)
    with closing(read_ahead(items, hands.read, readers, check)) as ahead:
        for item, reading in ahead:
            yield item, hands.do(item, reading)
            # The readers' bound counts on this reading being gone before the next is asked for.
            del reading


def in_order(numbered: Iterable[tuple[int, Item, Result]]) -> Iterator[tuple[Item, Result]]:
    """Yield what comes in any order by its number, from 0 without a gap."""
    early: dict[int, tuple[Item, Result]] = {}
    wanted = 0
    for number, item, result in numbered:
        early[number] = (item, result)
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1
