"""Slope and offset are found again from incomplete labels."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.models.card import CalibrationSpec
from frostpick.picking.calibration_fit import SLOPE, between, fit_calibration
from frostpick.types import sigmoid

pytestmark = pytest.mark.quick


def picks(
    n: int, slope: float, offset: float, rate: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(seed)
    logit = np.concatenate([rng.normal(-5, 2, n // 2), rng.normal(3, 2, n - n // 2)])
    # one pick in a hundred is a particle whatever its logit
    particle = rng.uniform(size=n) < 0.01 + 0.99 * sigmoid(slope * logit + offset)
    return logit, particle & (rng.uniform(size=n) < rate), float(particle.sum())


@pytest.mark.parametrize(("slope", "offset"), [(1.2, 0.0), (1.6, -1.0), (2.2, 2.0)])
@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_known_slope_and_offset(slope: float, offset: float, rate: float) -> None:
    logit, labelled, _ = picks(20000, slope, offset, rate)
    found = fit_calibration(logit, labelled, rate)
    assert found.slope == pytest.approx(slope, rel=0.2)
    assert found.offset == pytest.approx(offset, abs=0.4)


def test_few_labels_give_the_right_number_of_particles() -> None:
    totals = []
    for seed in range(10):
        logit, labelled, particles = picks(800, 1.5, -1.5, 0.2, seed)
        found = fit_calibration(logit, labelled, 0.2)
        totals.append(sigmoid(found.slope * logit + found.offset).sum() / particles)
    assert np.mean(totals) == pytest.approx(1.0, abs=0.06)
    assert np.max(np.abs(np.array(totals) - 1)) < 0.25


def test_a_few_wrong_labels_do_not_flatten_the_slope() -> None:
    logit, labelled, _ = picks(4000, 1.8, 0.0, 0.5)
    labelled[np.argsort(logit)[:8]] = True
    found = fit_calibration(logit, labelled, 0.5)
    assert found.slope == pytest.approx(1.8, rel=0.2)


def test_nothing_to_fit_is_the_prior() -> None:
    found = fit_calibration(np.zeros(0), np.zeros(0), 0.1)
    assert found.slope == pytest.approx(SLOPE, abs=1e-3)
    assert found.offset == pytest.approx(0.0, abs=1e-3)


def test_soft_labels_count_by_their_probability() -> None:
    # probabilities along a true line give it back (one in a hundred particles looks like
    # nothing, and one in a hundred is not labelled)
    logit = np.linspace(-4, 4, 4000)
    soft = 0.99 * (0.01 + 0.99 * sigmoid(1.7 * logit - 0.8))
    found = fit_calibration(logit, soft, 0.99)
    assert found.slope == pytest.approx(1.7, abs=0.05)
    assert found.offset == pytest.approx(-0.8, abs=0.15)


def test_between_two_calibrations() -> None:
    one, other = CalibrationSpec(slope=1.0, offset=-1.0), CalibrationSpec(slope=4.0, offset=1.0)
    found = between(one, other, 0.5)
    assert (found.slope, found.offset) == (pytest.approx(2.0), pytest.approx(0.0))
    assert between(one, other, 0.25).offset == pytest.approx(-0.5)
