"""Micrographs without a particle are told by all of their candidates together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from frostpick.models.shipped import load_model
from frostpick.picking.emptiness import SLACK, emptiness, outnumber, particle_share
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import PickPlan


def test_share_by_hand() -> None:
    # of 10 candidates 4 have the likelihood ratio 9 and 6 have 1/2: the slope of the
    # likelihood, 4 * 8 / (1 + 8 pi) - 6 * .5 / (1 - .5 pi), is 0 at pi = 29 / 40
    scores = [math.log(9.0)] * 4 + [math.log(0.5)] * 6
    assert particle_share(scores) == pytest.approx(29 / 40, abs=1e-6)
    assert particle_share([*scores, -2.5, -7.0]) == particle_share(scores)


def test_share_of_draws_from_two_known_laws() -> None:
    # x of particles is N(1, 1) and of the others N(-1, 1); of those above a cut the log of the
    # likelihood ratio is 2 x less the log of the ratio of what is above it: -2 at the cut
    rng = np.random.default_rng(4)

    def ratio(x: float) -> float:
        return 2.0 * x - math.log(norm.sf(x, 1.0) / norm.sf(x, -1.0))

    cut = brentq(lambda x: ratio(x) + 2.0, -3.0, 1.0)
    for truth in (0.05, 0.3, 0.8):
        particle = rng.random(40000) < truth
        x = rng.normal(np.where(particle, 1.0, -1.0), 1.0)
        above = x > cut
        score = 2.0 * (x - cut) - 2.0
        assert particle_share(score[above]) == pytest.approx(particle[above].mean(), abs=0.02)


def test_share_without_a_particle_is_none() -> None:
    # the mean ratio is below 1: (2 + 0.5 + 0.2) / 3
    assert particle_share(np.log(np.array([2.0, 0.5, 0.2]))) == 0.0
    assert particle_share([]) == 0.5
    assert particle_share([40.0, 900.0]) == 1.0


def test_doubtful_candidates_alone_are_nothing() -> None:
    doubtful = np.r_[np.full(2, 1.0), np.full(12, -1.5), np.full(300, -5.0)]
    shift = emptiness(doubtful)
    assert (doubtful + shift).max() < -2.0
    # the same with ten sure particles among them is an ordinary micrograph
    assert emptiness(np.r_[doubtful, np.full(10, 5.0)]) == 0.0


def test_few_sure_particles_stay() -> None:
    few = np.r_[np.full(2, 5.0), np.full(60, -1.0)]
    shift = emptiness(few)
    found = particle_share(few)
    assert shift == pytest.approx(math.log(found / (1 - found)) + SLACK)
    assert -3.0 < shift < 0.0
    assert emptiness(few, SLACK + 0.25) == pytest.approx(shift + 0.25)
    assert emptiness(few, SLACK + 3.0) == 0.0


def test_nothing_to_tell_by() -> None:
    assert emptiness([]) == 0.0
    assert emptiness([-3.0, -4.0]) == 0.0


def test_dark_ones_lead_by_hand() -> None:
    # eight dark ones first: 8 / sqrt(8) = 2.83; six, a light one and two dark ones: 7 / 3 = 2.33
    light = [0.5, *range(-20, 0)]
    assert outnumber(range(1, 9), light)
    assert not outnumber([-50.0, *range(1, 7)], light)
    assert not outnumber(light, range(1, 9))
    # ten that lead are lost among as many light ones above them
    assert not outnumber(range(1, 11), range(11, 22))
    assert not outnumber([], []) and not outnumber([3.0] * 7, [])


def test_noise_seldom_leads() -> None:
    rng = np.random.default_rng(5)
    led = [outnumber(rng.normal(size=300), rng.normal(size=300)) for _ in range(1000)]
    assert 0.02 < np.mean(led) < 0.08


def _noise(kind: str, seed: int, side: int = 1024) -> np.ndarray:
    """White noise, or with as much again whose amplitude falls with the frequency, k^-0.4."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(side, side))
    if kind == "white":
        return white
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    k[0, 0] = np.inf
    red = np.fft.irfft2(np.fft.rfft2(rng.normal(size=white.shape)) * k**-0.4, s=white.shape)
    return (white + red / red.std()) / math.sqrt(2.0)


def _picked(image: np.ndarray, diameter: float) -> np.ndarray:
    """Return x, y and score of the fixed filter's picks, at 1 A a pixel, best first."""
    model = load_model("blob")
    plan = PickPlan(diameter, diameter, min_distance_A=0.7 * diameter)
    picks = pick_image(model, image.astype(np.float32), 1.0, plan).picks
    return np.stack([picks.x_px, picks.y_px, picks.score], axis=1)


@pytest.mark.parametrize(
    "depth,seed,found", [(0.2, 2, 10), (0.3, 4, 12), (0.3, 5, 12), (0.3, 6, 12), (0.5, 4, 12)]
)
def test_faint_discs_are_not_called_nothing(depth: float, seed: int, found: int) -> None:
    """Twelve discs, .3 deviations deep: each is doubtful to the filter, all together are not."""
    rng = np.random.default_rng(100 + seed)
    cells = rng.choice(100, 12, replace=False)
    x, y = cells % 10 * 100 + 60.0, cells // 10 * 100 + 60.0
    image = _noise("white", seed)
    rows, columns = np.mgrid[:1024, :1024]
    for at in zip(x, y, strict=True):
        image -= depth * (np.hypot(columns - at[0], rows - at[1]) <= 16.0)
    best = _picked(image, 32.0)[:12]
    near = np.hypot(best[:, :1] - x, best[:, 1:2] - y).min(axis=1) < 8.0
    assert near.sum() >= found
    assert best[near][9, 2] > -3.0


@pytest.mark.parametrize("diameter", [32.0, 64.0])
@pytest.mark.parametrize("kind", ["white", "red"])
def test_the_fixed_filter_finds_noise_empty(kind: str, diameter: float) -> None:
    for seed in range(3):  # none as likely a particle as not
        assert _picked(_noise(kind, seed), diameter)[0, 2] < 0.0
