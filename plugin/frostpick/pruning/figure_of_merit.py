"""What the program that picked says of a pick: another word in a pruner's score.

Topaz, RELION and CryoSPARC give every pick a figure of merit. Its scale is the program's
own, so it is read from the job itself: how likely a pick with some figure of merit is a
particle, is what the pruner says of all picks like it together. With ``s`` the pruner's
log-odds for even odds, ``pi`` the share of particles among the rows and ``m`` the figures of
merit::

    p = sigmoid(s + logit(pi)),  q = isotonic regression of p on m
    score = s + WEIGHT * (logit(q(m)) - logit(mean p))

The second term is a log-likelihood ratio, as the first is one. Isotonic regression (Barlow
et al. 1972) leaves no scale to choose: a score, its exponential and its rank say the same. A
figure of merit that means nothing, or is high where the pruner's score is low, gives a flat
line and a term of 0. The weight is one half because both words come from the same noise:
added in full they would count it twice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.stats import spearmanr

from frostpick.pruning.prior import log_odds, particle_share
from frostpick.types import sigmoid

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

#: How much of the log-likelihood ratio counts. On the development sets' Topaz picks 1/4 to 3/4
#: come to the same within .004 with labels; without any the gain still grows beyond, and with a
#: poor picker (blob) it is lost.
WEIGHT = 0.5
#: Fewer rows than this say too little: of 200 that mean nothing the terms deviate by .2.
FEWEST = 200
#: No figure of merit is taken for surer than this probability of either side.
DOUBT = 0.002
#: Rank correlation with the score from which on a figure of merit is no second word but the
#: pruner's own, from an earlier pruning or verifying of the same list.
SAME = 0.95


@dataclass(frozen=True)
class FigureOfMeritFeature:
    """What the figures of merit of a job are worth.

    Parameters
    ----------
    added
        ``(n,)`` float64, what to add to the score of each row; 0 where there is none.
    merit
        ``(m,)`` float64, the distinct figures of merit, rising.
    share
        ``(m,)`` float64, the expected share of particles among rows with each.
    rows
        ``(m,)`` int64, how many rows have each.
    """

    added: Floats
    merit: Floats
    share: Floats
    rows: NDArray[np.int64]


def figure_of_merit_feature(
    score: Floats, merit: Floats | None, expected: float | None = None
) -> FigureOfMeritFeature | None:
    """Learn from a job's scores what its figures of merit are worth.

    Parameters
    ----------
    score
        ``(n,)`` log-odds for even odds; NaN for a row that was not read.
    merit
        ``(n,)`` figures of merit, higher is better; NaN where there is none.
    expected
        Share of particles among the rows; estimated from the scores when None.

    Returns
    -------
    FigureOfMeritFeature or None
        None where fewer than `FEWEST` rows have both, all figures of merit are alike, or they
        are the scores themselves.
    """
    if merit is None:
        return None
    known = np.isfinite(score) & np.isfinite(merit)
    values, at, rows = np.unique(merit[known], return_inverse=True, return_counts=True)
    if np.count_nonzero(known) < FEWEST or len(values) < 2:
        return None
    if _same(score[known], merit[known]):
        log.info("the figures of merit are the pruner's own, and are not counted again")
        return None
    share = particle_share(score[known]) if expected is None else expected
    likely = sigmoid(score[known] + log_odds(share))
    mean = np.bincount(at, likely) / rows
    found = isotonic_regression(mean, weights=rows.astype(np.float64)).x
    found, base = (np.clip(one, DOUBT, 1 - DOUBT) for one in (found, likely.mean()))
    added = np.zeros(len(score))
    ratio = np.log(found / (1 - found)) - np.log(base / (1 - base))
    added[known] = WEIGHT * ratio[at]
    return FigureOfMeritFeature(added, values, found, rows.astype(np.int64))


def _same(score: Floats, merit: Floats) -> bool:
    """Return whether two columns put rows into the same order, all but."""
    if np.ptp(score) == 0:
        return False
    found = spearmanr(score, merit)
    return bool(found.statistic >= SAME)
