"""Micrographs without a particle are told by all of their candidates together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from frostpick.picking.emptiness import SLACK, emptiness, particle_share


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
