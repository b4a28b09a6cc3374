"""How many of a job's rows are particles, from their scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from frostpick.types import sigmoid

#: The share is kept away from 0 and 1, where no row could change the other's mind.
LIMITS = (0.02, 0.98)
STEPS = 200
#: As if so many particles and as many others had been seen before: a few rows say little.
SEEN = 5


def particle_share(score: ArrayLike) -> float:
    """Return the share of particles that explains scores which were made for even odds.

    Expectation-maximisation of a mixture whose two likelihood ratios are known (Saerens
    et al. 2002): the share is the mean of ``sigmoid(score + logit(share))``, drawn to one half
    by `SEEN` rows of each kind. Deterministic.

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
        particles = float(sigmoid(values + log_odds(share)).sum())
        share = float(np.clip((particles + SEEN) / (len(values) + 2 * SEEN), *LIMITS))
        if abs(share - before) < 1e-6:
            break
    return share


def log_odds(share: float) -> float:
    """Return ``log(share / (1 - share))``."""
    return float(np.log(share / (1 - share)))
