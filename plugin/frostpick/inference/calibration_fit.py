"""Fit the score: from a network's logit to the log-odds that a pick is a particle.

Labels are incomplete, so an unlabelled pick may be a particle. If particles were
labelled at random, a pick with logit s carries a label with probability
``c * sigmoid(slope * s + offset)``, where c is the labelled fraction of all
particles; slope and offset are the maximum of that likelihood.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from frostpick.models.card import CalibrationSpec
from frostpick.types import sigmoid

Floats = NDArray[np.float64]

#: Deviation of ln(slope) about 0 before any data: a non-negative risk is a proper
#: score, so the logits of a fitted network are near log-odds already.
SLOPE_SPREAD = 0.3
#: Deviation of the offset about 0 before any data.
OFFSET_SPREAD = 2.0
#: Relative deviation allowed between the sum of probabilities and the expected count.
COUNT_SPREAD = 0.1


def fit_calibration(
    logit: ArrayLike,
    labelled: ArrayLike,
    label_rate: float,
    *,
    counted: ArrayLike | None = None,
    expected: float | None = None,
    fitted_on: str = "labels",
) -> CalibrationSpec:
    """Fit slope and offset to picks of which some carry a label.

    Parameters
    ----------
    logit, labelled
        ``(n,)`` logits of picks that did not train, and whether each is labelled.
    label_rate
        Fraction of all particles among these picks that is labelled, c.
    counted, expected
        Logits of picks whose probabilities must add up to ``expected`` particles,
        within ``COUNT_SPREAD``.
    fitted_on
        What the picks are, for the card.
    """
    s = np.asarray(logit, np.float64)
    m = np.asarray(labelled, np.bool_)
    c = float(np.clip(label_rate, 1e-4, 1.0))
    others = None if counted is None else np.asarray(counted, np.float64)

    def cost(x: Floats) -> float:
        log_slope, offset = float(x[0]), float(x[1])
        slope = math.exp(log_slope)
        p = np.clip(c * sigmoid(slope * s + offset), 1e-12, 1.0 - 1e-9)
        value = -float(np.log(p[m]).sum() + np.log1p(-p[~m]).sum())
        value += 0.5 * (log_slope / SLOPE_SPREAD) ** 2 + 0.5 * (offset / OFFSET_SPREAD) ** 2
        if others is not None and expected:
            total = float(sigmoid(slope * others + offset).sum())
            value += 0.5 * ((total / expected - 1.0) / COUNT_SPREAD) ** 2
        return value

    best = minimize(cost, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8})
    slope, offset = math.exp(float(best.x[0])), float(best.x[1])
    return CalibrationSpec(slope=slope, offset=offset, fitted_on=fitted_on)
