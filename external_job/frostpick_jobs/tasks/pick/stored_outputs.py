"""The micrographs of a job as they are delivered, read from its store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from frostpick.picking.threshold import EVERYTHING
from frostpick.types import Micrograph
from frostpick_jobs.job.host import MicrographOutput
from frostpick_jobs.store import PickStore, StoredPicks
from frostpick_jobs.tasks.pick.threshold import Threshold

Write = Literal["selected", "all"]


@dataclass(frozen=True)
class StoredOutputs:
    """Outputs in the host's order, read from the store anew at each iteration.

    With ``write="all"`` every pick above the floor counts as selected, so that a
    host's native outputs, which hold the selected picks, hold all.
    """

    store: PickStore
    micrographs: Sequence[Micrograph]
    threshold: Threshold
    write: Write = "selected"

    def __len__(self) -> int:
        return len(self.micrographs)

    def __iter__(self) -> Iterator[MicrographOutput]:
        return (output for output, _ in self.with_results())

    def with_results(self) -> Iterator[tuple[MicrographOutput, StoredPicks]]:
        """Yield each output and the stored result that it is made of."""
        for micrograph in self.micrographs:
            found = self.store.get(micrograph.id)
            own = self.threshold.of(micrograph.id)
            cut = own if self.write == "selected" else EVERYTHING
            yield (
                MicrographOutput(
                    micrograph, cut.select(found.picks), found.shape, found.pixel_size_A, own
                ),
                found,
            )
