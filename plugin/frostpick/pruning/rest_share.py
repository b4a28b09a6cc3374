"""How many of the rows that were called bad only for not being called good look like good ones.

``bad=rest`` is right where the good rows are all there are. Where they are a few of many, the
rest is unlabelled, and to learn it as bad teaches that particles are none.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

log = logging.getLogger(__name__)

#: Share of the rest that may look like good ones before it is no longer taken for bad: of the
#: rest of complete labels on the development sets less than a tenth does.
INCOMPLETE = 0.2
#: Shares of the good labels at whose scores the rest is counted.
LEVELS = (0.25, 0.5, 0.75)
#: Share of the rest that must lie on micrographs with good labels for these to be taken for all
#: there are, and fewest rows of the rest there that are counted.
COVERED, FEWEST = 0.5, 20
#: Area under the curve of labels held out below which good and bad are hardly told apart.
ALIKE = 0.7


def share_like_good(score: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Return an upper estimate of the share of good ones among the other rows.

    With ``s`` any score that has not learned from the row itself, particles among the rest
    are spread over ``s`` as the good labels are, so that ``P(s >= t | rest)`` is at least the
    share times ``P(s >= t | good)``: the smallest quotient over some ``t`` bounds it (Blanchard
    et al. 2010, section 4). 1 is no evidence that anything of the rest is bad.

    Parameters
    ----------
    score
        ``(n,)`` of labels held out.
    good
        ``(n,)`` bool; both kinds occur.
    """
    levels = np.quantile(score[good], LEVELS)
    found = [(score[~good] >= t).mean() / (score[good] >= t).mean() for t in levels]
    return float(min(1.0, *found))


@dataclass(frozen=True)
class RestShare:
    """What is known of the rest of the rows.

    Parameters
    ----------
    alike
        Share of it that looks like good ones.
    covered
        Share of it that lies on micrographs with good labels.
    """

    alike: float
    covered: float

    @property
    def is_bad(self) -> bool:
        """Whether the rest may be taken for bad labels."""
        return self.alike < INCOMPLETE and self.covered >= COVERED


def share_of_rest(
    score: NDArray[np.float64], good: NDArray[np.bool_], group: NDArray[np.int64]
) -> RestShare:
    """Return what the rest is, counted on the micrographs that have good labels.

    Where all good labels are of one micrograph, a network tells by what that looks like which
    rows are labelled: rows of the rest on the same micrograph have the same look. Rows on
    micrographs without any good label are no evidence, and where they are most of the rest,
    the good labels are not all.

    Parameters
    ----------
    score, good
        As `share_like_good` has them.
    group
        ``(n,)`` number of each row's micrograph.
    """
    beside = np.isin(group, np.unique(group[good]))
    covered = float(beside[~good].mean())
    if np.count_nonzero(beside & ~good) < FEWEST:
        beside = np.ones(len(good), np.bool_)
    return RestShare(share_like_good(score[beside], good[beside]), covered)


def area(score: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Return the probability that a good label scores above a bad one; equal ones count half."""
    ranks = rankdata(score)
    n, m = int(good.sum()), int((~good).sum())
    return float((ranks[good].sum() - n * (n + 1) / 2) / (n * m))


def warn_if_alike(score: NDArray[np.float64], good: NDArray[np.bool_]) -> None:
    """Tell where labels that were held out are not told apart."""
    if not len(score):
        return
    found = area(score, good)
    if found < ALIKE:
        log.warning(
            "good and bad labels look alike: of a good and a bad one held out the good one "
            "scores higher in %.0f %% of cases, where chance gives 50 %%; look through the labels, "
            "or give good ones alone",
            100 * found,
        )
