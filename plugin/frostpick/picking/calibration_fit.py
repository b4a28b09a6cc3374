"""Fit the score: from a network's logit to the log-odds that a pick is a particle.

Labels are incomplete, so an unlabelled pick may be a particle. If particles were
labelled at random, a pick with logit s carries a label with probability
``c * sigmoid(slope * s + offset)``, where c is the labelled fraction of all
particles (Elkan and Noto 2008); slope and offset are the maximum of that
likelihood with a weak prior.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from frostpick.models.card import CalibrationSpec
from frostpick.types import sigmoid

Floats = NDArray[np.float64]

#: Slope before any data, and the deviation of its logarithm: a network scores a place
#: for each location by itself, and a pick, the best of its neighbours, is surer than
#: its logit says. Seen on simulated and real data: 1.1 to 2.2.
SLOPE, SLOPE_SPREAD = 1.9, 0.2
#: Deviation of the offset about 0 before any data.
OFFSET_SPREAD = 3.0
#: The slope of a network that was fine-tuned from a general one, and how little its offset
#: strays with few labels and with many (seen on the training micrographs of three simulated
#: sets: slopes 1.2 to 1.7, offsets -.6 to .3 with 15 labels).
TUNED_SLOPE, TUNED_FEW_SPREAD, TUNED_SPREAD = 1.45, 0.4, 1.0
#: Fraction of particles that look like nothing (on carbon, or labelled by mistake): without
#: it the worst few labels alone would set the slope.
LAPSE = 0.01


def fit_calibration(
    logit: ArrayLike,
    labelled: ArrayLike,
    label_rate: float,
    *,
    fitted_on: str = "labels",
    slope: float = SLOPE,
    offset_spread: float = OFFSET_SPREAD,
) -> CalibrationSpec:
    """Fit slope and offset to picks of which some carry a label.

    Parameters
    ----------
    logit, labelled
        ``(n,)`` logits of all picks of some micrographs, and whether each is labelled, or
        how probably (0 to 1).
    label_rate
        Fraction of all particles among these picks that is labelled, c.
    fitted_on
        What the picks are, for the card.
    slope, offset_spread
        Slope before any data, and deviation of the offset about 0.
    """
    s = np.asarray(logit, np.float64)
    m = np.asarray(labelled, np.float64)
    c = float(np.clip(label_rate, 1e-4, 0.99))

    def cost(x: Floats) -> float:
        probability = sigmoid(math.exp(float(x[0])) * s + float(x[1]))
        p = np.clip(c * (LAPSE + (1.0 - LAPSE) * probability), 1e-12, 1.0 - 1e-9)
        likelihood = float((m * np.log(p) + (1.0 - m) * np.log1p(-p)).sum())
        slope_term = (float(x[0]) - math.log(slope)) / SLOPE_SPREAD
        return -likelihood + 0.5 * slope_term**2 + 0.5 * (float(x[1]) / offset_spread) ** 2

    first = np.array([math.log(slope), 0.0])
    # about as wide as what is looked for: the simplex that scipy makes by itself is a
    # thousandth as high as wide here, and can collapse far from the minimum
    around = first + np.array([[0.0, 0.0], [0.3, 0.0], [0.0, 1.0]])
    options: Any = {"xatol": 1e-6, "fatol": 1e-8, "initial_simplex": around}
    best = minimize(cost, first, method="Nelder-Mead", options=options)
    fitted, offset = math.exp(float(best.x[0])), float(best.x[1])
    return CalibrationSpec(slope=fitted, offset=offset, fitted_on=fitted_on)


def between(one: CalibrationSpec, other: CalibrationSpec, weight: float) -> CalibrationSpec:
    """Return a calibration between two: ``weight`` is the other's, of slope and offset alike."""
    return CalibrationSpec(
        slope=math.exp((1.0 - weight) * math.log(one.slope) + weight * math.log(other.slope)),
        offset=(1.0 - weight) * one.offset + weight * other.offset,
        fitted_on=f"{other.fitted_on}, {one.fitted_on}",
    )
