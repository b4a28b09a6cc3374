"""Whether a probability of 0.8 is right eight times in ten."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike


def calibration_error(
    probability: ArrayLike,
    is_true: ArrayLike,
    bins: int = 10,
    binning: Literal["width", "count"] = "width",
) -> float:
    """Return the expected calibration error.

    ``sum_b n_b / n * |mean(is_true in b) - mean(probability in b)|`` (Naeini et al. 2015,
    Guo et al. 2017).

    Parameters
    ----------
    probability
        ``(n,)`` in [0, 1].
    is_true
        ``(n,)`` bool.
    bins
        Number of bins.
    binning
        ``width``: ``[k/bins, (k+1)/bins)`` with 1.0 in the last one, the usual definition;
        ``count``: sorted by probability and cut into parts whose sizes differ by at most 1.

    Returns
    -------
    float
        In [0, 1]; NaN without any pick.

    Raises
    ------
    ValueError
        The two differ in length, or a probability is outside [0, 1] or not finite.
    """
    p = np.array(probability, np.float64, ndmin=1)
    t = np.array(is_true, np.float64, ndmin=1)
    if p.shape != t.shape or p.ndim != 1 or bins < 1:
        raise ValueError(f"probability {p.shape} and truth {t.shape} must be two equal columns")
    if not len(p):
        return float("nan")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a probability is outside [0, 1]")
    if binning == "width":
        which = np.minimum((p * bins).astype(np.int64), bins - 1)
    else:
        which = np.empty(len(p), np.int64)
        which[np.argsort(p, kind="stable")] = np.arange(len(p)) * bins // len(p)
    gap = np.bincount(which, t, bins) - np.bincount(which, p, bins)
    return float(np.abs(gap).sum() / len(p))
