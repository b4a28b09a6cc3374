"""Positions between the cells."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.picking.centring import centre_of_mass
from frostpick.sampling import Sampling

GRID = Sampling.identity((160, 200), 1.0).child((40, 50), (4.0, 4.0), (0.0, 0.0))
ZERO = np.zeros((1, 2))


def plateau(y: float, x: float, radius: float = 1.5) -> np.ndarray:
    """Return logits that are flat on a disc and fall off outside, and the cell at its middle."""
    i, j = np.mgrid[:40, :50]
    return np.clip(4.0 - 4.0 * (np.hypot(i - y, j - x) - radius), -8.0, 4.0).astype(np.float32)


@pytest.mark.parametrize("centre", [(20.0, 25.0), (20.3, 24.8), (19.6, 25.4)])
def test_finds_the_middle_of_a_plateau_from_any_of_its_cells(centre) -> None:
    logits = plateau(*centre)
    for row, column in ((20, 25), (round(centre[0] - 0.5), 25), (20, round(centre[1] + 0.5))):
        cell = np.array([row]), np.array([column])
        offset = centre_of_mass(logits, *cell, ZERO, GRID, 8.0)[0]
        assert np.abs(np.array([row, column]) + offset - centre).max() < 0.12


def test_the_centre_of_symmetric_weights_is_exact_by_hand() -> None:
    logits = np.full((40, 50), -50.0, np.float32)
    logits[20, 25], logits[20, 26] = 0.0, 0.0  # two cells alike: the middle between them
    offset = centre_of_mass(logits, np.array([20]), np.array([25]), ZERO, GRID, 8.0)
    np.testing.assert_allclose(offset, [[0.0, 0.5]], atol=1e-6)
    logits[20, 26] = -2.0  # weights 1 and exp(-1)
    offset = centre_of_mass(logits, np.array([20]), np.array([25]), ZERO, GRID, 8.0)
    np.testing.assert_allclose(offset, [[0.0, np.exp(-1) / (1 + np.exp(-1))]], atol=1e-6)


def test_half_a_window_does_not_pull() -> None:
    logits = plateau(0.0, 25.0)
    offset = centre_of_mass(logits, np.array([0]), np.array([25]), ZERO, GRID, 8.0)
    np.testing.assert_allclose(offset, [[0.0, 0.0]], atol=1e-6)
    logits = plateau(20.0, 25.0)
    logits[22, 25] = np.nan
    offset = centre_of_mass(logits, np.array([20]), np.array([25]), ZERO, GRID, 8.0)
    np.testing.assert_allclose(offset, [[0.0, 0.0]], atol=1e-6)


def test_a_window_of_a_cell_keeps_the_first_offset_and_none_strays() -> None:
    first = np.array([[0.2, -0.1]])
    cell = np.array([20]), np.array([25])
    assert centre_of_mass(plateau(20.0, 25.0), *cell, first, GRID, 4.0) is first
    ramp = np.add.outer(np.arange(40.0), np.arange(50.0)).astype(np.float32)
    assert np.abs(centre_of_mass(ramp, *cell, ZERO, GRID, 12.0)).max() <= 1.0
    nothing = np.zeros(0, np.int64)
    assert centre_of_mass(ramp, nothing, nothing, np.zeros((0, 2)), GRID, 8.0).shape == (0, 2)


def test_axes_of_unlike_steps_are_weighed_in_pixels() -> None:
    grid = Sampling.identity((80, 200), 1.0).child((40, 50), (2.0, 4.0), (0.0, 0.0))
    logits = np.full((40, 50), -50.0, np.float32)
    logits[20, 25] = 0.0
    logits[24, 25] = 0.0  # 8 px away: on the rim, half its weight; 4 cells
    offset = centre_of_mass(logits, np.array([20]), np.array([25]), ZERO, grid, 7.0)
    assert offset[0, 0] > 0.0 and offset[0, 1] == pytest.approx(0.0, abs=1e-9)
    logits[24, 25], logits[20, 28] = -50.0, 0.0  # 12 px away: outside
    offset = centre_of_mass(logits, np.array([20]), np.array([25]), ZERO, grid, 7.0)
    np.testing.assert_allclose(offset, 0.0, atol=1e-9)
