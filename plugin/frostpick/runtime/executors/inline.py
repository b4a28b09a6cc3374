"""The engine of one device: in this process."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import torch

from frostpick.runtime.executors.base import Item, Resources, Result, Work, through
from frostpick.runtime.reporter import Reporter


class InlineExecutor:
    """Does items one after the other in the process that asks."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    @property
    def devices(self) -> Sequence[torch.device]:
        """The one device."""
        return (self.resources.device,)

    @property
    def threads(self) -> int:
        """CPU threads of the computation."""
        return self.resources.threads

    def run(
        self,
        work: Work[Item, Result],
        items: Iterable[Item],
        reporter: Reporter,
        *,
        ordered: bool = True,
    ) -> Generator[tuple[Item, Result], None, None]:
        """See `Executor.run`; the order is always that of the items."""
        return through(work, items, self.resources, reporter.check)
