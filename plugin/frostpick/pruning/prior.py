"""How many of a job's rows are particles, from their scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from frostpick.types import sigmoid

#: The share is kept away from 0 and 1, where no row could change the other's mind.
LIMITS = (0.02, 0.98)
STEPS = 200


def particle_share(score: ArrayLike) -> float:
    """Return the share of particles that explains scores which were made for even odds.

    Expectation-maximisation of a mixture whose two likelihood ratios are known (Saerens
    et al. 2002): the share is the mean of ``sigmoid(score + logit(share))``. Deterministic.

    Parameters
    ----------
    score
        ``(n,)`` log-odds at a share of one half.
    """
    values = np.asarray(score, np.float64)
    values = values[np.isfinite(values)]
    share = 0.5
    if not len(values):
        return share
    for _ in range(STEPS):
        before = share
        share = float(np.clip(sigmoid(values + log_odds(share)).mean(), *LIMITS))
        if abs(share - before) < 1e-6:
            break
    return share


def log_odds(share: float) -> float:
    """Return ``log(share / (1 - share))``."""
    return float(np.log(share / (1 - share)))
