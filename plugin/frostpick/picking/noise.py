"""What the decoys of a job come to: expected picks of noise, an interval, q-values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

from frostpick.picking.null import Counts, NoiseSample

Floats = NDArray[np.float64]
#: Part of the draws that an interval holds, and how many there are.
LEVEL, DRAWS = 0.9, 1000


@dataclass(frozen=True)
class NoiseEstimate:
    """How many of the picks at a cut are likely noise; ``low`` is a lower bound on the false ones.

    Parameters
    ----------
    micrographs, picks
        How many were looked at, and their picks at the cut.
    inverted, decoys
        Decoys at the cut, and those of them that count.
    free
        Part of the area where picks of background could be in which decoys count.
    expected
        V, the expected number of picks of noise among ``picks``; NaN where no area is free.
    low, high
        An interval of 90 % for it.
    """

    micrographs: int
    picks: int
    inverted: int
    decoys: int
    free: float
    expected: float
    low: float
    high: float

    def share(self, count: float) -> float:
        """Return a number of picks as part of all, at most 1; NaN for NaN or without a pick."""
        return float(np.minimum(1.0, count / self.picks)) if self.picks else float("nan")


def expected_noise(
    samples: Sequence[NoiseSample], cuts: float | Sequence[float], seed: int = 0
) -> NoiseEstimate:
    """Return how many picks at a cut are likely noise.

    ``V = A / A_free (1 + D)``, over all micrographs together. D is the number of decoys with at
    least the score of the cut that do not lie at a pick. A is the area where a pick of background
    could be: all but the border, and but what is nearer to a pick at the cut than two picks may
    be. A_free is the area where a decoy counts: farther than a diameter from every pick at the
    cut, and not on a doubtful one. One is added as the target-decoy method does (Levitsky et
    al., J. Proteome Res. 16, 393, 2017): ``1 + D`` is the mean of a Poisson rate of which D
    events were seen.

    The interval is that of a bootstrap over micrographs, and nowhere narrower than that of the
    Poisson rate: micrographs without a decoy show the former nothing.

    Parameters
    ----------
    samples
        One a micrograph.
    cuts
        The score of the cut, or one for each micrograph.
    seed
        Of the bootstrap.
    """
    levels = np.broadcast_to(np.asarray(cuts, np.float64), len(samples))
    each = [one.at(cut) for one, cut in zip(samples, levels.tolist(), strict=True)]
    found = reduce(Counts.and_, each, Counts())
    if not found.free:
        nan = float("nan")
        return NoiseEstimate(len(samples), *found[:3], 0.0, nan, nan, nan)
    drawn = _bootstrap(np.array(each, np.float64), seed)
    rate = found.area / found.free
    ends = [
        (float(np.quantile(drawn, tail)), rate * float(gammaincinv(1 + found.decoys, tail)))
        for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    ]
    return NoiseEstimate(
        len(samples), *found[:3], 1 / rate, found.expected, min(ends[0]), max(ends[1])
    )


def _bootstrap(each: Floats, seed: int) -> Floats:
    """Return V of draws of micrographs, from `Counts` of each, ``(n, 5)``; finite ones alone."""
    weights = np.random.default_rng(seed).multinomial(len(each), [1 / len(each)] * len(each), DRAWS)
    sums = weights @ each
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = sums[:, 3] / sums[:, 4] * (1 + sums[:, 2])
    return np.asarray(drawn[np.isfinite(drawn)])


def q_values(samples: Sequence[NoiseSample], cuts: ArrayLike) -> Floats:
    """Return q(t) of some cuts, rising: the least ``V / picks`` over this and looser cuts.

    It is the smallest share of noise among the picks at which a pick of score t is selected
    (Storey, J. R. Statist. Soc. B 64, 479, 2002); 1 where no pick is left or no area is free.

    Parameters
    ----------
    cuts
        ``(n,)`` scores, rising; those before one are the looser ones.
    """
    shares = []
    for cut in np.asarray(cuts, np.float64).tolist():
        found = reduce(Counts.and_, (one.at(cut) for one in samples), Counts())
        told = found.picks and found.free
        shares.append(min(1.0, found.expected / found.picks) if told else 1.0)
    return np.minimum.accumulate(np.asarray(shares, np.float64))
