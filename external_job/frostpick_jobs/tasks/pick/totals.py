"""Sums over the results of a picking job, most of them kept while it picks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Micrograph
from frostpick_jobs.store import PickStore, StoredPicks


@dataclass(frozen=True)
class Share:
    """What one result adds to the sums: kept, so that it need not be read for them again.

    Parameters
    ----------
    scores
        ``(n,)`` scores of the picks above the floor.
    seconds
        Time of each stage of the engine.
    previewed
        Whether the result has a preview.
    pixel_size_A
        The pixel size in force, in Angstrom.
    """

    scores: NDArray[np.float64]
    seconds: Mapping[str, float]
    previewed: bool
    pixel_size_A: float

    @classmethod
    def of(cls, result: StoredPicks) -> Share:
        """Return the share of a result."""
        return cls(
            result.picks.score, result.seconds, result.preview is not None, result.pixel_size_A
        )


@dataclass(frozen=True)
class Totals:
    """Sums over the results of a job.

    Parameters
    ----------
    scores
        ``(n,)`` scores of all picks above the floor, in the job's order.
    seconds
        Time of each stage of the engine.
    previewed
        Ids of the micrographs that have a preview.
    shares
        What each result adds, by the micrograph's id.
    """

    scores: NDArray[np.float64]
    seconds: Mapping[str, float]
    previewed: Sequence[str]
    shares: Mapping[str, Share]


def sum_up(
    store: PickStore, micrographs: Sequence[Micrograph], shares: Mapping[str, Share]
) -> Totals:
    """Sum up in the job's order; results whose share is not known are read, once."""
    scores: list[NDArray[np.float64]] = [np.zeros(0)]
    seconds: dict[str, float] = {}
    previewed: list[str] = []
    found: dict[str, Share] = {}
    for micrograph in micrographs:
        share = shares.get(micrograph.id) or Share.of(store.get(micrograph.id))
        found[micrograph.id] = share
        scores.append(share.scores)
        if share.previewed:
            previewed.append(micrograph.id)
        for stage, value in share.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    return Totals(np.concatenate(scores), seconds, previewed, found)
