"""From a pruner's log-odds to calibrated ones."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from frostpick.models.card import CalibrationSpec

#: Deviations of log slope and offset about 0 before any data: a few labels move them little.
SLOPE_SPREAD, OFFSET_SPREAD = 0.5, 1.0


def fit_scores(
    raw: ArrayLike, good: ArrayLike, *, fitted_on: str = "held-out labels"
) -> CalibrationSpec:
    """Fit slope and offset of log-odds to labels that were not learned from.

    The maximum of ``sum log p + log prior`` with ``p = sigmoid(slope raw + offset)`` for
    good boxes and 1 minus it for bad ones (Platt 1999), good and bad weighing the same:
    the score is for even odds, whatever the shares of the labels.

    Parameters
    ----------
    raw, good
        ``(n,)`` log-odds as the network gives them, and whether the box is a particle.
    """
    s = np.asarray(raw, np.float64)
    y = np.asarray(good, np.bool_)
    if not y.any() or y.all():
        return CalibrationSpec(fitted_on="nothing")
    weight = np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum()) * len(y)

    def cost(x: NDArray[np.float64]) -> float:
        z = math.exp(float(x[0])) * s + float(x[1])
        loss = float((weight * np.logaddexp(0.0, np.where(y, -z, z))).sum())
        prior = (float(x[0]) / SLOPE_SPREAD) ** 2 + (float(x[1]) / OFFSET_SPREAD) ** 2
        return loss + 0.5 * prior

    best = minimize(cost, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6})
    slope, offset = math.exp(float(best.x[0])), float(best.x[1])
    return CalibrationSpec(slope=slope, offset=offset, fitted_on=fitted_on)
