"""Sums over the results of a picking job, most of them kept while it picks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.null import NoiseSample
from frostpick.picking.pick import MicrographPicks
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
    noise
        What it tells of noise; None where there are no decoys.
    """

    scores: NDArray[np.float64]
    seconds: Mapping[str, float]
    previewed: bool
    pixel_size_A: float
    noise: NoiseSample | None = None

    @classmethod
    def of(cls, result: StoredPicks, min_distance_A: float, border: float = 0.0) -> Share:
        """Return the share of a result; the lengths are those of `sample_of`."""
        return cls(
            result.picks.score,
            result.seconds,
            result.preview is not None,
            result.pixel_size_A,
            sample_of(result, min_distance_A, border),
        )


def sample_of(
    result: StoredPicks | MicrographPicks, min_distance_A: float, border: float
) -> NoiseSample | None:
    """Return what a result tells of noise; None where there are no decoys.

    Parameters
    ----------
    min_distance_A
        Smallest distance between two picks, in Angstrom.
    border
        Distance from the edges within which nothing was picked, in diameters.
    """
    if result.decoys is None or not result.picks.diameter_A:
        return None
    diameter, distance = (
        one / result.pixel_size_A for one in (result.picks.diameter_A, min_distance_A)
    )
    return NoiseSample.of(result.picks, result.decoys, result.shape, diameter, distance, border)


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
    noise
        What the results with decoys tell of noise.
    """

    scores: NDArray[np.float64]
    seconds: Mapping[str, float]
    previewed: Sequence[str]
    shares: Mapping[str, Share]
    noise: Sequence[NoiseSample] = ()


def sum_up(
    store: PickStore,
    micrographs: Sequence[Micrograph],
    shares: Mapping[str, Share],
    min_distance_A: float,
    border: float = 0.0,
) -> Totals:
    """Sum up in the job's order; results whose share is not known are read, once.

    Parameters
    ----------
    min_distance_A, border
        As in `sample_of`.
    """
    scores: list[NDArray[np.float64]] = [np.zeros(0)]
    seconds: dict[str, float] = {}
    previewed: list[str] = []
    found: dict[str, Share] = {}
    for micrograph in micrographs:
        share = shares.get(micrograph.id) or Share.of(
            store.get(micrograph.id), min_distance_A, border
        )
        found[micrograph.id] = share
        scores.append(share.scores)
        if share.previewed:
            previewed.append(micrograph.id)
        for stage, value in share.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    noise = [one.noise for one in found.values() if one.noise is not None]
    return Totals(np.concatenate(scores), seconds, previewed, found, noise)
