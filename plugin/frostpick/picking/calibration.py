"""From a network's logit to the score users see."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.models.card import CalibrationSpec

#: Picks less likely than this are not kept at all. At 0.01 one or two in a hundred particles of
#: a finished ranking were lost, and AP with them (.952 against .959 on one set).
FLOOR_PROBABILITY = 0.001


def calibrated(logit: ArrayLike, calibration: CalibrationSpec) -> NDArray[np.float64]:
    """Return ``slope * logit + offset``, the log-odds that a pick is a particle, float64."""
    return calibration.slope * np.asarray(logit, np.float64) + calibration.offset


def floor_logit(calibration: CalibrationSpec, probability: float = FLOOR_PROBABILITY) -> float:
    """Return the network's logit at which a pick has the given probability."""
    return (math.log(probability / (1 - probability)) - calibration.offset) / calibration.slope
