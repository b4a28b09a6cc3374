import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from frostpick.picking.dense import ScoreMap
from frostpick.picking.peaks import Peaks, refine
from frostpick.picking.selectors.disc_nms import find_peaks, greedy_discs
from frostpick.sampling import Sampling

pytestmark = pytest.mark.quick

NONE = -1e9


def grid(shape, step=(1.0, 1.0)):
    return Sampling(shape, step, (0.0, 0.0), (1.0, 1.0))


def brute_force(logits, sampling, distance, floor):
    """Greedy suppression as it is written in a textbook: quadratic, all pairs, in float64."""
    cells = [
        (-float(v), y, x) for (y, x), v in np.ndenumerate(logits) if np.isfinite(v) and v >= floor
    ]
    kept = []
    for value, y, x in sorted(cells):
        dy = np.array([(y - b) * sampling.step_yx[0] for _, b, _ in kept])
        dx = np.array([(x - c) * sampling.step_yx[1] for _, _, c in kept])
        if not len(kept) or (dy**2 + dx**2 >= distance**2).all():
            kept.append((value, y, x))
    return [(y, x) for _, y, x in kept]


def found(logits, sampling, distance, floor=NONE, most=10**9):
    rows, columns = greedy_discs(logits.astype(np.float32), sampling, distance, floor, most)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize("distance", [0.5, 1.0, 1.5, 2.0, 3.0, 4.7, 9.1, 60.0])
@pytest.mark.parametrize("smooth", [0.0, 1.5])
@pytest.mark.parametrize("step", [(1.0, 1.0), (1.01, 0.99), (3.7, 3.71)])
def test_equal_to_greedy_on_random_maps(distance, smooth, step):
    noise = np.random.default_rng(int(10 * distance)).normal(size=(31, 27))
    logits = (gaussian_filter(noise, smooth) if smooth else noise).astype(np.float32)
    sampling = grid(logits.shape, step)
    radius = distance * step[0]
    assert found(logits, sampling, radius) == brute_force(logits, sampling, radius, NONE)
    assert found(logits, sampling, radius, 0.1) == brute_force(logits, sampling, radius, 0.1)


@pytest.mark.parametrize("distance", [1.0, 2.0, 3.3])
def test_equal_to_greedy_on_plateaus_and_ties(distance):
    logits = np.random.default_rng(2).integers(0, 3, (20, 23)).astype(np.float32)
    sampling = grid(logits.shape)
    assert found(logits, sampling, distance) == brute_force(logits, sampling, distance, NONE)
    flat = np.zeros((9, 9), np.float32)
    assert found(flat, grid((9, 9)), 3.0)[0] == (0, 0)
    assert found(flat, grid((9, 9)), 3.0) == brute_force(flat, grid((9, 9)), 3.0, NONE)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=12, max_size=60),
    st.integers(2, 6),
    st.floats(0.3, 8.0),
)
def test_equal_to_greedy_for_any_map(values, width, distance):
    rows = len(values) // width
    logits = np.array(values[: rows * width], np.float32).reshape(rows, width)
    sampling = grid(logits.shape)
    assert found(logits, sampling, distance) == brute_force(logits, sampling, distance, NONE)


def test_the_disc_is_open_and_does_not_wrap():
    logits = np.full((12, 12), -5.0, np.float32)
    for y, x, value in ((5, 5, 3.0), (5, 8, 2.0), (8, 8, 1.0), (2, 11, 4.0), (3, 0, 3.5)):
        logits[y, x] = value
    at = found(logits, grid((12, 12)), 3.0, 0.0)
    assert set(at) == {(5, 5), (5, 8), (8, 8), (2, 11), (3, 0)}
    assert (5, 8) not in found(logits, grid((12, 12)), 3.001, 0.0)


def test_nan_is_no_peak_and_the_floor_and_the_count_hold():
    logits = np.array([[np.nan, 1.0, np.nan], [2.0, np.nan, 5.0]], np.float32)
    assert found(logits, grid((2, 3)), 0.9) == [(1, 2), (1, 0), (0, 1)]
    assert found(logits, grid((2, 3)), 0.9, 2.0) == [(1, 2), (1, 0)]
    assert found(logits, grid((2, 3)), 0.9, NONE, 1) == [(1, 2)]
    assert found(np.full((3, 3), np.nan), grid((3, 3)), 1.0) == []


def test_peaks_of_a_parabola_are_exact_between_the_cells():
    y, x = np.mgrid[:20, :20].astype(np.float64)
    logits = 10 - 0.5 * (y - 8.3) ** 2 - 0.3 * (x - 11.7) ** 2 + 0.2 * (y - 8.3) * (x - 11.7)
    sampling = Sampling((20, 20), (4.0, 5.0), (2.0, -3.0), (1.0, 1.0))
    scores = ScoreMap(torch.from_numpy(logits.astype(np.float32)), sampling)
    peaks = find_peaks(scores, 1000.0, NONE, 10)
    assert len(peaks) == 1
    assert peaks.y_px[0] == pytest.approx(2.0 + 4.0 * 8.3, abs=1e-3)
    assert peaks.x_px[0] == pytest.approx(-3.0 + 5.0 * 11.7, abs=1e-3)
    assert peaks.logit[0] == pytest.approx(logits[8, 12], abs=1e-5)


def test_refinement_stays_within_half_a_cell_and_away_from_nan_and_borders():
    ramp = np.add.outer(np.arange(5.0), np.arange(5.0)).astype(np.float32)
    at = np.arange(5)
    assert np.abs(refine(ramp, at, at)).max() <= 0.5
    curved = -((np.arange(5.0)[:, None] - 2.0) ** 2 + (np.arange(5.0)[None] - 2.4) ** 2)
    one = np.array([2])
    assert refine(curved.astype(np.float32), one, one)[0] == pytest.approx([0.0, 0.4], abs=1e-5)
    curved[1, 1] = np.nan
    assert (refine(curved.astype(np.float32), one, one) == 0).all()
    assert (refine(np.ones((5, 5), np.float32), at, at) == 0).all()


def test_peaks_inside_counts_from_the_edge_of_the_outer_pixels():
    y = np.array([9.4, 9.5, 89.5, 89.6, 50.0, 50.0])
    x = np.array([50.0, 50.0, 50.0, 50.0, 9.4, 189.5])
    kept = Peaks(y, x, np.zeros(6)).inside((100, 200), 10.0)
    assert kept.y_px.tolist() == [9.5, 89.5, 50.0]
    assert kept.x_px.tolist() == [50.0, 50.0, 189.5]


def test_optional_columns_follow_the_peaks_that_are_kept():
    y, x = np.array([50.0, 5.0, 60.0]), np.array([50.0, 50.0, 70.0])
    peaks = Peaks(y, x, np.array([3.0, 2.0, 1.0]), filament=np.array([4, 5, 4]))
    kept = peaks.inside((100, 200), 10.0)
    assert kept.filament.tolist() == [4, 4] and kept.angle_deg is None
    assert kept.logit.tolist() == [3.0, 1.0]
    assert peaks.keep([2, 0]).filament.tolist() == [4, 4]
    assert peaks.keep([2, 0]).y_px.tolist() == [60.0, 50.0]
