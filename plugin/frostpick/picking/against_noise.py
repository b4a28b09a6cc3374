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
#: Least and largest probability that the comparison with noise gives.
LEAST, MOST = 1e-3, 1 - 1e-6
#: False candidates for each one of noise, junk among them, and how much what noise tells counts
#: against the model's own word. Chosen on five proteins in red noise and three sets of the
#: development data among 1, 1.5, 2, 3 and .3, .5, .7, .85. There, and on the other sets, the
#: best F1 less that of the cut is .020 and .015 without labels (by the model alone .053 and
#: .057), .017 and .016 with 15 (.023 and .034), .007 and .006 with 200 labels (.022 and .019).
FALSE, WEIGHT = 1.5, 0.5


@dataclass(frozen=True)
class AgainstNoise:
    r"""How much more often candidates have a score than noise has, and what follows.

    With ``r(s)`` candidates at a score for each one of noise, a share of `FALSE` ``/ r`` is false.
    This knows the job and little of junk; the model's own probability knows junk, and not
    this particle. The log-odds of the two are averaged:
    ``(1 - WEIGHT) s + WEIGHT logit(1 - FALSE / r(s))``.

    Parameters
    ----------
    offset, slope
        ``log r(s) = offset + slope s``.
    """

    offset: float
    slope: float

    def log_odds(self, score: ArrayLike) -> Floats:
        """Return what scores ``(n,)`` are worth, as log-odds ``(n,)`` in the same order."""
        own = np.asarray(score, np.float64)
        ratio = self.offset + self.slope * np.minimum(own, HIGHEST)
        chance = np.clip(1.0 - FALSE * np.exp(-np.maximum(ratio, 0.0)), LEAST, MOST)
        told = np.log(chance) - np.log1p(-chance)
        told = np.where(own < LOWEST, np.minimum(told, own), told)
        worth: Floats = (1.0 - WEIGHT) * own + WEIGHT * told
        return worth


def weigh_against_noise(samples: Sequence[NoiseSample]) -> AgainstNoise | None:
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
    return AgainstNoise(offset, slope)


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
