"""From a pruner's log-odds, and a picker's, to calibrated ones."""

from __future__ import annotations

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
    offset, slope = _fit(s[:, None], y)
    return CalibrationSpec(slope=slope, offset=offset, fitted_on=fitted_on)


def fit_joint_scores(
    raw: ArrayLike, picker: ArrayLike, good: ArrayLike, *, fitted_on: str
) -> tuple[CalibrationSpec, float]:
    """Fit slope, offset and the weight of a picker's word together, as `fit_scores` does.

    Parameters
    ----------
    raw, picker, good
        ``(n,)`` log-odds of the pruner's network, logits of the picker, and whether the
        box is a particle.

    Returns
    -------
    CalibrationSpec
        Slope and offset.
    float
        Weight of the picker's logit.

    Raises
    ------
    ValueError
        Boxes of one kind only.
    """
    y = np.asarray(good, np.bool_)
    if not y.any() or y.all():
        raise ValueError("boxes of one kind only; expected good and bad ones")
    columns = np.column_stack([np.asarray(raw, np.float64), np.asarray(picker, np.float64)])
    offset, slope, weight = _fit(columns, y)
    return CalibrationSpec(slope=slope, offset=offset, fitted_on=fitted_on), weight


def _fit(columns: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return the offset and the positive slope of each column."""
    weight = np.where(good, 0.5 / good.sum(), 0.5 / (~good).sum()) * len(good)

    def cost(x: NDArray[np.float64]) -> float:
        z = columns @ np.exp(x[1:]) + x[0]
        loss = float((weight * np.logaddexp(0.0, np.where(good, -z, z))).sum())
        prior = (x[0] / OFFSET_SPREAD) ** 2 + float(((x[1:] / SLOPE_SPREAD) ** 2).sum())
        return loss + 0.5 * float(prior)

    start = np.zeros(1 + columns.shape[1])
    best = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-6})
    return float(best.x[0]), *np.exp(best.x[1:]).tolist()
