"""Micrographs without a particle are told by all of their candidates together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from frostpick.inference.emptiness import SLACK, emptiness, particle_share


def test_share_by_hand() -> None:
    # of 10 candidates 4 have the likelihood ratio 9 and 6 have 0: the maximum of
    # (9 pi + 1 - pi)^4 (1 - pi)^6 is at pi = 4/10 - 6 / (10 * 8) = .325
    scores = [math.log(9.0 * 0.25)] * 4 + [-np.inf] * 6  # odds of the share .2: 1/4
    assert particle_share(scores, 0.2) == pytest.approx(0.325, abs=1e-6)


def test_share_of_draws_from_two_known_laws() -> None:
    # logits of particles are N(1.5, 1.5^2) and of the others N(-1.5, 1.5^2): the log of the
    # likelihood ratio is 4/3 of the logit
    rng = np.random.default_rng(4)
    for truth in (0.05, 0.3, 0.8):
        particle = rng.random(20000) < truth
        logit = rng.normal(np.where(particle, 1.5, -1.5), 1.5)
        score = 4 / 3 * logit + math.log(0.25)  # as if a fifth were particles
        assert particle_share(score, 0.2) == pytest.approx(truth, abs=0.015)


def test_share_without_a_particle_is_none() -> None:
    # the mean ratio is below 1: (2 + 0.5 + 0.1) / 3
    scores = np.log(np.array([2.0, 0.5, 0.1]) * 0.25)
    assert particle_share(scores, 0.2) == 0.0
    assert particle_share([], 0.2) == 0.2
    assert particle_share([40.0, 900.0], 0.2) == 1.0


def test_doubtful_candidates_alone_are_nothing() -> None:
    doubtful = np.r_[np.full(8, 1.0), np.full(60, -2.0), np.full(300, -5.0)]
    shift = emptiness(doubtful, 0.3)
    assert (doubtful + shift).max() < -2.0
    # the same with thirty sure particles among them is an ordinary micrograph
    assert emptiness(np.r_[doubtful, np.full(30, 5.0)], 0.3) == 0.0


def test_few_sure_particles_stay() -> None:
    few = np.r_[np.full(3, 5.0), np.full(200, -5.0)]
    shift = emptiness(few, 0.4)
    found = particle_share(few, 0.4)
    assert shift == pytest.approx(math.log(found / (1 - found)) - math.log(0.4 / 0.6) + SLACK)
    assert -2.0 < shift < 0.0


def test_no_share_no_shift() -> None:
    assert emptiness([-3.0, -4.0], None) == 0.0
    assert emptiness([-3.0, -4.0], 1.0) == 0.0
