"""How many particles a micrograph holds, told by the scores of its candidates together.

A calibrated score is the log-odds that a candidate is a particle where as many candidates
are particles as where it was calibrated. Plain ice and carbon have candidates too, each with
the score of a doubtful particle; together they tell that none is one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

#: The fraction of particles is not taken as smaller than this.
LEAST = 1e-4
#: A micrograph with fewer particles than usual is left alone down to this shift of the
#: log-odds (a twelfth of the usual odds): thick ice makes true particles doubtful as well.
SLACK = 2.5


def particle_share(score: ArrayLike, share: float) -> float:
    r"""Estimate which fraction of the candidates of one micrograph are particles.

    The maximum of the likelihood ``prod(pi * L_i + 1 - pi)``, where the likelihood ratio
    ``L_i = exp(score_i) * (1 - share) / share`` is what a score says apart from the share it
    was calibrated with (the fixed point of Saerens, Latinne and Decaestecker 2002, eq. 2.5,
    for two classes). It is 0 exactly where the mean of the ratios is at most 1.

    Parameters
    ----------
    score
        ``(n,)`` calibrated scores of all candidates above the floor.
    share
        Fraction of particles among the candidates of the calibration, between 0 and 1.

    Returns
    -------
    float
        Between 0 and 1; ``share`` where there is no candidate.
    """
    s = np.asarray(score, np.float64)
    if not s.size:
        return share
    # of the ratio less one, and scaled so that a very sure pick does not overflow
    excess = np.exp(np.minimum(s, 30.0)) * ((1.0 - share) / share) - 1.0

    def slope(pi: float) -> float:
        return float((excess / (1.0 + pi * excess)).sum())

    if slope(0.0) <= 0.0:
        return 0.0
    last = 1.0 - 1e-9
    return 1.0 if slope(last) >= 0.0 else float(brentq(slope, 0.0, last, xtol=1e-7))


def emptiness(score: ArrayLike, share: float | None) -> float:
    """Return what to add to the scores of a micrograph: 0, or below 0 where it seems empty.

    Parameters
    ----------
    score, share
        As in `particle_share`; a ``share`` of None, of a model that was not calibrated so,
        gives 0.
    """
    if share is None or not 0.0 < share < 1.0:
        return 0.0
    found = max(particle_share(score, share), LEAST)
    if found >= share:
        return 0.0
    shift = np.log(found / (1.0 - found)) - np.log(share / (1.0 - share))
    return float(min(0.0, shift + SLACK))
