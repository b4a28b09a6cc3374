"""Whether a micrograph holds any particle, told by the scores of its candidates together.

A score is the log-odds that a candidate is a particle, on micrographs as those of the
calibration. Plain ice and carbon have candidates too, each with the score of a doubtful
particle; together they tell that none is one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

#: Lower scores say nothing: how many such candidates there are depends on the noise.
DOUBTFUL = -2.0
#: The fraction of particles is not taken as smaller than this.
LEAST = 1e-4
#: A micrograph with few particles is left alone down to this shift of the log-odds: thick ice
#: makes true particles doubtful as well. Seen on simulated micrographs, the worst with
#: particles -.7, the mildest without -2.5.
SLACK = 1.5
#: The same for similarities to exemplars, which differ more between micrographs: on training
#: micrographs of the development sets the share's log-odds are -5.3 at worst with particles;
#: without they are those of `LEAST`, -9.2.
SLACK_OF_SIMILARITY = 6.0
#: Of the best candidates of both signs so many are compared: from the fewest that could tell,
#: to as many as particles may be on a micrograph.
FEWEST_COMPARED, MOST_COMPARED = 8, 200
#: By how many standard deviations of a fair coin the dark ones must lead at best. A coin leads so
#: in 4 to 5 % of 200,000 simulated series; of 144 images of white and red noise none did (at most
#: 2.1, for peaks keep away from one another), of 21 real micrographs full of particles (20S) 17.
LEAD = 2.6


def particle_share(score: ArrayLike) -> float:
    r"""Estimate which fraction of the candidates of one micrograph are particles.

    The maximum of the likelihood ``prod(pi * L_i + 1 - pi)`` over the candidates with scores
    above `DOUBTFUL` (`likeliest_share`), where the likelihood ratio ``L_i = exp(score_i)`` is
    what a score says at even odds. It is 0 exactly where the mean of the ratios is at most 1.

    Parameters
    ----------
    score
        ``(n,)`` calibrated scores of all candidates.

    Returns
    -------
    float
        Between 0 and 1; 0.5 without a candidate.
    """
    s = np.asarray(score, np.float64)
    s = s[s > DOUBTFUL]
    if not s.size:
        return 0.5
    # a very sure pick must not overflow
    return likeliest_share(np.exp(np.minimum(s, 30.0)))


def likeliest_share(ratio: NDArray[np.float64]) -> float:
    """Return the most likely share of particles of a sample from likelihood ratios ``(n,)``.

    The fixed point of Saerens, Latinne and Decaestecker (2002), eq. 2.5, for two classes: where
    ``sum (L - 1) / (1 + share (L - 1))`` is 0.
    """
    excess = ratio - 1.0

    def slope(share: float) -> float:
        return float((excess / (1.0 + share * excess)).sum())

    if slope(0.0) <= 0.0:
        return 0.0
    last = 1.0 - 1e-9
    return 1.0 if slope(last) >= 0.0 else float(brentq(slope, 0.0, last, xtol=1e-7))


def emptiness(score: ArrayLike, slack: float = SLACK) -> float:
    """Return what to add to the scores of a micrograph: 0, or below 0 where it seems empty.

    Parameters
    ----------
    score
        As in `particle_share`.
    slack
        Down to this shift, made positive, a micrograph is left alone.
    """
    found = max(particle_share(score), LEAST)
    if found >= 0.5:
        return 0.0
    return min(0.0, float(np.log(found / (1.0 - found))) + slack)


def outnumber(dark: ArrayLike, light: ArrayLike) -> bool:
    """Return whether the best candidates of both signs are clearly more often dark than light.

    For a filter whose score is no log-odds: what noise makes of it depends on the noise. But
    noise has no sign. The same filter finds as many light candidates in it as dark ones, each as
    strong, so that by descending score the signs follow one another as the falls of a coin
    (target and decoy: Elias and Gygi, Nat. Methods 4, 207, 2007). Particles are of one sign.

    Parameters
    ----------
    dark, light
        ``(n,)``, ``(m,)`` scores of a micrograph's candidates, and of those with the image negated.
    """
    scores = np.concatenate([np.asarray(dark, np.float64), np.asarray(light, np.float64)])
    sign = np.where(np.arange(len(scores)) < np.size(dark), 1, -1)
    best = np.argsort(-scores, kind="stable")[:MOST_COMPARED]
    lead = np.cumsum(sign[best]) / np.sqrt(np.arange(1, len(best) + 1))
    return bool((lead[FEWEST_COMPARED - 1 :] >= LEAD).any())
