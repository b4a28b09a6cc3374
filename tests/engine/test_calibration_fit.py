"""Slope and offset are found again from incomplete labels."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.inference.calibration_fit import fit_calibration
from frostpick.types import sigmoid


def picks(
    n: int, slope: float, offset: float, rate: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(seed)
    logit = np.concatenate([rng.normal(-5, 2, n // 2), rng.normal(3, 2, n - n // 2)])
    particle = rng.uniform(size=n) < sigmoid(slope * logit + offset)
    return logit, particle & (rng.uniform(size=n) < rate), float(particle.sum())


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.7, -1.0), (1.6, 2.0)])
@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_known_slope_and_offset(slope: float, offset: float, rate: float) -> None:
    logit, labelled, _ = picks(20000, slope, offset, rate)
    found = fit_calibration(logit, labelled, rate)
    assert found.slope == pytest.approx(slope, rel=0.12)
    assert found.offset == pytest.approx(offset, abs=0.25)


def test_few_labels_lean_on_the_expected_count() -> None:
    logit, labelled, particles = picks(400, 1.0, -1.5, 0.15, seed=2)
    found = fit_calibration(logit, labelled, 0.15, counted=logit, expected=particles)
    total = sigmoid(found.slope * logit + found.offset).sum()
    assert total == pytest.approx(particles, rel=0.1)


def test_nothing_to_fit_is_the_identity() -> None:
    found = fit_calibration(np.zeros(0), np.zeros(0), 0.1)
    assert found.slope == pytest.approx(1.0, abs=1e-4)
    assert found.offset == pytest.approx(0.0, abs=1e-4)
