"""What a score is worth in one job: the model's own word, weighed against the noise of the job.

A model's scores are log-odds on micrographs like those that it was calibrated on. Particles that
it does not know well score lower, and what has a low score is then worth more than it says: on
proteins that the shipped model never saw, picks with a probability of .1 to .3 were particles in
half of the cases. How often noise scores so is seen in the job itself, in decoys
(`frostpick.picking.null`), so that the candidates at a score can be compared with them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.picking.null import NoiseSample
from frostpick.types import sigmoid

Floats = NDArray[np.float64]

#: Candidates below this score, a probability of .02, are not compared: on a micrograph full of
#: particles they keep each other away, and there are fewer of them than of decoys.
LOWEST = math.log(0.02 / 0.98)
#: Above this score the ratio is not taken to rise: decoys are too few to tell.
HIGHEST = 8.0
#: A decoy within a diameter of a pick with this score (a probability of .27) does not count.
LIKELY = -1.0
#: The slope of the log ratio that is expected, its deviation, and that of the offset.
SLOPE, SLOPE_SPREAD, OFFSET_SPREAD = 0.5, 0.5, 10.0
#: The free area is not taken as smaller than this part of all.
LEAST_FREE = 0.02
#: Least and largest probability that comparison with noise gives.
LEAST, MOST = 1e-3, 1 - 1e-6
#: What noise tells counts so much against the model's word: for a model that has no label of
#: these particles, and for one that has. Chosen on five proteins in red noise and three sets of
#: the development data among 0, .3, .5, .7; the best F1 less that of the cut was .060, .024, .013,
#: .017 without labels on 18 other sets, and .038, .019, .021, .030 with 15 labels on 17.
WITHOUT_LABELS, WITH_LABELS = 0.5, 0.3


@dataclass(frozen=True)
class AgainstNoise:
    r"""How much more often candidates have a score than noise has, and what follows.

    With ``r(s)`` candidates at a score for each one of noise, ``1 - 1 / r`` of them are none.
    That is an upper bound of the share of particles, for junk is no noise; the model's own
    probability is one that knows junk and not this particle. The log-odds of the two are averaged:
    ``(1 - weight) s + weight logit(1 - 1 / r(s))``.

    Parameters
    ----------
    offset, slope
        ``log r(s) = offset + slope s``.
    weight
        Of what noise tells, 0 to 1.
    """

    offset: float
    slope: float
    weight: float

    def log_odds(self, score: ArrayLike) -> Floats:
        """Return what scores ``(n,)`` are worth, as log-odds ``(n,)`` in the same order."""
        own = np.asarray(score, np.float64)
        ratio = self.offset + self.slope * np.minimum(own, HIGHEST)
        chance = np.clip(-np.expm1(-np.maximum(ratio, 0.0)), LEAST, MOST)
        told = np.log(chance) - np.log1p(-chance)
        told = np.where(own < LOWEST, np.minimum(told, own), told)
        worth: Floats = (1.0 - self.weight) * own + self.weight * told
        return worth


def weigh_against_noise(samples: Sequence[NoiseSample], weight: float) -> AgainstNoise | None:
    """Compare the candidates of some micrographs with their decoys.

    The log ratio of the two densities is that of a logistic regression of candidate against
    decoy on the score (Qin, Biometrika 85, 619, 1998), each decoy counting as often as the
    area where decoys count goes into all, and one decoy of even odds more than there are, as
    the target-decoy method adds one.

    Returns
    -------
    AgainstNoise or None
        None without a sample, or where no area is free of likely picks.
    """
    area = sum(len(one.near_cell) for one in samples)
    free = sum(int(np.searchsorted(one.near_cell, LIKELY)) for one in samples)
    if not free:
        return None
    found = np.concatenate([one.picks for one in samples])
    noise = np.concatenate([one.decoys[one.near_decoy < LIKELY] for one in samples])
    found, noise = found[found >= LOWEST], noise[noise >= LOWEST]
    times = area / max(float(free), LEAST_FREE * area)
    stands_for = np.append(np.full(len(noise), times), 1.0)
    offset, slope = _log_ratio(found, np.append(noise, 0.0), stands_for)
    return AgainstNoise(offset, slope, weight)


def _log_ratio(found: Floats, noise: Floats, counts: Floats) -> tuple[float, float]:
    """Return offset and slope of the log ratio of two samples of scores, by Newton's method.

    Parameters
    ----------
    counts
        ``(m,)`` how many each of ``noise`` stands for.
    """
    x = np.append(found, noise)
    rows = np.stack([np.ones_like(x), x], axis=1)
    kind = np.append(np.ones(len(found)), np.zeros(len(noise)))
    counted = np.append(np.ones(len(found)), counts)
    expected = np.array([0.0, SLOPE])
    precision = np.diag([OFFSET_SPREAD**-2, SLOPE_SPREAD**-2])
    at = expected.copy()
    for _ in range(100):
        chance = sigmoid(rows @ at)
        slope = rows.T @ (counted * (chance - kind)) + precision @ (at - expected)
        curvature = (rows * (counted * chance * (1 - chance))[:, None]).T @ rows + precision
        step = np.clip(np.linalg.solve(curvature, slope), -1.0, 1.0)
        at = at - step
        if np.abs(step).max() < 1e-9:
            break
    return float(at[0]), max(float(at[1]), 0.0)
