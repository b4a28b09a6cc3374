"""What the decoys of a job come to: expected picks of noise, an interval, q-values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import gamma

from frostpick.picking.null import NoiseSample

Floats = NDArray[np.float64]
#: Part of the draws that an interval holds, and how many there are.
LEVEL, DRAWS = 0.9, 1000


@dataclass(frozen=True)
class NoiseEstimate:
    """How many of the picks at a cut are likely noise: a lower bound on the false ones.

    Parameters
    ----------
    micrographs, picks
        How many were looked at, and their picks at the cut.
    inverted, decoys
        Decoys at the cut, and those of them that count.
    free
        Part of the area that is not within a diameter of a pick.
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
    least the score of the cut that do not lie at a pick. A is the whole area where a pick may
    lie, all but the border, and A_free the part of it that is farther than a diameter from
    every pick at the cut and not on a doubtful one: where decoys count. One is added as the
    target-decoy method does (Levitsky et al., J. Proteome Res. 16, 393, 2017): ``1 + D`` is
    the mean of a Poisson rate of which D events were seen.

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
    found = np.array([one.at(cut) for one, cut in zip(samples, levels, strict=True)], np.float64)
    found = found.reshape(-1, 4)
    picks, inverted, decoys, free = (int(one) for one in found.sum(0))
    area = np.array([len(one.near_cell) for one in samples], np.float64)
    if not free:
        return NoiseEstimate(len(samples), picks, inverted, decoys, 0.0, *(3 * [float("nan")]))
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(samples), [1 / len(samples)] * len(samples), DRAWS)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = (weights @ area) / (weights @ found[:, 3]) * (1 + weights @ found[:, 2])
    tails = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    low, high = (float(np.quantile(drawn[np.isfinite(drawn)], one)) for one in tails)
    scale = float(area.sum()) / free
    poisson = [scale * float(gamma.ppf(one, 1 + decoys)) for one in tails]
    return NoiseEstimate(
        len(samples),
        picks,
        inverted,
        decoys,
        1 / scale,
        scale * (1 + decoys),
        min(low, poisson[0]),
        max(high, poisson[1]),
    )


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
        found = np.array([one.at(cut) for one in samples], np.float64).reshape(-1, 4).sum(0)
        area = sum(len(one.near_cell) for one in samples)
        told = found[0] > 0 and found[3] > 0
        shares.append(min(1.0, area / found[3] * (1 + found[2]) / found[0]) if told else 1.0)
    return np.minimum.accumulate(np.asarray(shares, np.float64))
