"""How much an AP moves when other micrographs of the same kind had been there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accuracy.matching import Matched

RESAMPLES = 400
SEED = 20261120


def resamples(set_name: str, micrographs: int, count: int = RESAMPLES) -> NDArray[np.int64]:
    """Return how often each micrograph is in each resample, ``(count, micrographs)``.

    The same for every run of a set: means over draws and differences of pickers are
    then resampled over micrographs too.
    """
    rng = np.random.default_rng([SEED, *set_name.encode()])
    return rng.multinomial(micrographs, np.full(micrographs, 1 / micrographs), count)


def resampled_ap(matched: Matched, set_name: str, count: int = RESAMPLES) -> NDArray[np.float64]:
    """Return the AP of each resample of the micrographs, ``(count,)``."""
    weights = resamples(set_name, len(matched.counts), count)
    return np.array([matched.average_precision(weight) for weight in weights])


def interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of resampled values; resamples without a particle are out."""
    tail = 50 * (1 - level)
    low, high = np.nanpercentile(np.asarray(values, np.float64), [tail, 100 - tail])
    return float(low), float(high)
