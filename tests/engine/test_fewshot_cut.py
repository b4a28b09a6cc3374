"""cryoMAE's density cut: the neighbour distances, the cut, and its guards."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frostpick.picking.dense import ScoreMap
from frostpick.picking.selector import Selector
from frostpick.picking.selectors.density_cut import density_cut, neighbour_distance
from frostpick.sampling import Sampling

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("neighbours", [1, 3, 10])
def test_neighbour_distance_is_brute_force(neighbours: int) -> None:
    values = np.sort(np.random.default_rng(0).normal(size=60))
    expected = [
        np.sort(np.abs(np.delete(values, k) - values[k]))[:neighbours].mean() for k in range(60)
    ]
    np.testing.assert_allclose(neighbour_distance(values, neighbours), expected, rtol=1e-12)


def dense_and_sparse(particles: int) -> np.ndarray:
    """Cosines of a crowded background below 0.2, and of few particles from 0.5 to 0.9."""
    rng = np.random.default_rng(1)
    background = rng.uniform(-0.3, 0.2, 20000)
    return np.arctanh(np.concatenate([background, rng.uniform(0.5, 0.9, particles)]))


@pytest.mark.parametrize("particles", [60, 200, 1500])
def test_cut_falls_between_a_crowd_and_its_sparse_tail(particles: int) -> None:
    found = density_cut(dense_and_sparse(particles))
    assert found.rule == "density"
    assert np.arctanh(0.19) < found.cut < np.arctanh(0.55)


def test_lonely_outliers_do_not_make_the_cut() -> None:
    logits = dense_and_sparse(400)
    with_outliers = np.concatenate([logits, [2.5, 3.2, 3.7]])
    assert density_cut(with_outliers).cut < np.arctanh(0.55)


def test_two_modes_decide_where_nothing_thins_out() -> None:
    # two even crowds, one twice the other, both far denser than any gap between quantiles
    rng = np.random.default_rng(4)
    logits = np.concatenate([rng.uniform(-2.0, -1.5, 14000), rng.uniform(1.4, 1.5, 7000)])
    found = density_cut(logits)
    assert found.rule == "mixture"
    assert -1.5 < found.cut < 1.4


def test_featureless_scores_leave_a_thousandth() -> None:
    logits = np.random.default_rng(2).uniform(-0.1, 0.1, 50000)
    found = density_cut(logits)
    assert (logits >= found.cut).mean() < 0.01


def test_selector_drops_what_is_below_the_cut() -> None:
    logits = np.full((60, 60), -1.0) + np.random.default_rng(3).uniform(-0.2, 0.2, (60, 60))
    peaks = [(10, 10), (20, 40), (45, 25), (50, 50)]
    for k, (y, x) in enumerate(peaks):
        logits[y - 1 : y + 2, x - 1 : x + 2] = np.linspace(0.8, 1.6, 9).reshape(3, 3) + 0.01 * k
        logits[y, x] = 2.0 + 0.1 * k
    grid = Sampling((60, 60), (4.0, 4.0), (0.0, 0.0), (4.0, 4.0))
    scores = ScoreMap(torch.from_numpy(logits.astype(np.float32)), grid)
    kept = {}
    for name in ("disc-nms", "density-cut"):
        found = Selector(name, 28.0).peaks(
            scores, diameter_px=28.0, min_distance_px=14.0, floor_logit=-3.0, max_peaks=999
        )
        kept[name] = {
            (round(y / 4), round(x / 4)) for y, x in np.stack([found.y_px, found.x_px], 1)
        }
    assert len(kept["disc-nms"]) > 50
    assert kept["density-cut"] == set(peaks)
