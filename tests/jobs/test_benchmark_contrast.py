"""The benchmark of contrast: stain is darker than what it leaves out, and a row counts right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_contrast import row
from scipy import ndimage
from stained.micrograph import SIDE, STAINS, Stain, stained

#: A ball of beads, 32 pixels of 5 A.
DIAMETER_A, PIXEL_A = 160.0, 5.0


def ball() -> np.ndarray:
    grid = np.mgrid[-80:81:5, -80:81:5, -80:81:5].reshape(3, -1).T.astype(np.float64)
    return grid[np.linalg.norm(grid, axis=1) <= DIAMETER_A / 2]


def clear(**changes) -> Stain:
    """Return an even film of stain, without lumps, nearly without noise."""
    return replace(Stain(uneven=0.0, crystals=0.0, share=0.05, snr=1e6, grain=0.0), **changes)


def rings(how: Stain) -> list[float]:
    """Return mean grey levels on the particles, just around them, and far from all.

    In standard deviations of what is far.
    """
    xyz = ball()
    # as much protein a bead as fills its cube of 5 A
    weights = np.full(len(xyz), 125.0 / 1.068)
    image = stained(xyz, weights, DIAMETER_A, PIXEL_A, how, [3])
    assert image.shape == (SIDE, SIDE) and image.dtype == np.float32
    # the same draws make the same places: those of a film that hides nothing
    seen = stained(xyz, weights, DIAMETER_A, PIXEL_A, clear(depth=1.5, rim=0.0), [3])
    on = ndimage.gaussian_filter(seen, 3) > np.quantile(seen, 0.5) + 0.4 * np.ptp(seen)
    away = ndimage.distance_transform_edt(~on) * PIXEL_A
    ring, far = (away > 50) & (away < 80), away > 150
    return [float(image[part].mean() / image[far].std()) for part in (on, ring, far)]


def test_a_particle_is_lighter_than_its_stain() -> None:
    on, around, far = rings(clear(depth=1.2, rim=0.0))
    assert on - far > 10.0 and on - around > 10.0


def test_stain_rises_around_particles_that_it_does_not_cover() -> None:
    covered = rings(clear(depth=1.5, rim=0.0))
    _, around, far = rings(clear(depth=0.2, rim=1.0, rim_A=40.0))
    assert around - far < 3.0 * (covered[1] - covered[2])  # darker than its fringe makes it
    assert rings(clear(depth=1.5, rim=1.0, rim_A=40.0)) == pytest.approx(covered)


def test_noise_is_as_strong_as_asked_for() -> None:
    xyz = ball()
    told = {"xyz_A": xyz, "weights": np.full(len(xyz), 117.0), "seed": [5]}
    told |= {"diameter_A": DIAMETER_A, "pixel_A": PIXEL_A}
    images = [stained(how=clear(depth=1.0, snr=snr), **told) for snr in (0.25, 1.0, 1e8)]
    weak, strong = (float((image - images[2]).std()) for image in images[:2])
    assert weak / strong == pytest.approx(2.0, rel=0.01)  # a quarter of the variance


def test_stains_of_the_table_are_simulated() -> None:
    xyz = ball()[::40]
    for how in list(STAINS.values())[::3]:
        image = stained(xyz, np.full(len(xyz), 5000.0), DIAMETER_A, PIXEL_A, how, [1])
        assert np.isfinite(image).all() and image.std() > 0


def test_a_row_counts_right_and_wrong() -> None:
    votes = [0.4] * 8 + [-0.4] * 7 + [0.1]  # of light particles: eight right, then seven wrong
    cells = [cell.strip() for cell in row("x", "light", votes).strip("|").split("|")]
    assert cells == [
        *("x", "light", "16", "-0.40 +0.03 +0.40", "7", "1 of 2", "1 of 2", "8 of 16", "1", "7")
    ]
