"""Counting particles from the scores of the few that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from frostpick.sampling import Sampling
from frostpick.training.examples import TrainingImage
from frostpick.training.measure import Found, average_precision, joined, match, recall_among
from frostpick.training.prior import class_prior, count_particles, first_guess, packing_limit


def test_count_by_hand() -> None:
    # 11 labels with scores 10 ... 0, and a pick on each: at every threshold 11 particles;
    # then three more picks above all labels
    labels = np.arange(11.0)
    assert count_particles(labels, labels) == pytest.approx(11)
    found = count_particles(np.concatenate([labels, [20.0, 21.0, 22.0]]), labels)
    # the middle of five: 9 of 11 labels above 2, 12 picks
    assert found == pytest.approx(12 / (9 / 11))


def test_count_without_labels_found() -> None:
    assert count_particles([1.0, 2.0], [-math.inf, -math.inf]) == 0.0
    assert count_particles([], []) == 0.0


@pytest.mark.parametrize("known", [40, 200])
@pytest.mark.parametrize("false", [50, 3000])
def test_count_on_two_overlapping_classes(known: int, false: int) -> None:
    errors = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        particles, others = rng.normal(2.0, 1.5, 400), rng.normal(-4.0, 1.5, false)
        labels = rng.choice(particles, known, replace=False)
        found = count_particles(np.concatenate([particles, others]), labels)
        errors.append(found / 400 - 1)
    assert abs(np.mean(errors)) < 0.15
    assert np.max(np.abs(errors)) < 0.3


def test_missed_labels_count_as_missed() -> None:
    rng = np.random.default_rng(0)
    found = rng.normal(3, 1, 300)
    labels = np.concatenate([rng.choice(found, 60, replace=False), np.full(20, -np.inf)])
    assert count_particles(found, labels) == pytest.approx(400, rel=0.15)


def test_prior_and_guess() -> None:
    # 100 discs of radius 6 on 1000 x 1000 pixels
    assert class_prior(100, 1e6, 6.0) == pytest.approx(100 * math.pi * 36 / 1e6)
    pixels = np.zeros((320, 640), np.float32)
    grid = Sampling.identity((320, 640), 1.0)
    few = TrainingImage("a", pixels, grid, np.zeros((3, 2)), np.zeros((0, 2)))
    assert first_guess([few], 32.0) == pytest.approx(0.15 * 200)
    dense = TrainingImage("a", pixels, grid, np.zeros((100, 2)), np.zeros((0, 2)))
    assert first_guess([dense], 32.0) == pytest.approx(120)
    assert packing_limit([few], 32.0) == pytest.approx(230)


def test_matching_and_average_precision() -> None:
    picks = np.array([[10.0, 10.0], [10.0, 13.0], [50.0, 50.0]])
    labels = np.array([[10.0, 12.0], [80.0, 80.0]])
    found = match(picks, np.array([3.0, 2.0, 1.0]), labels, 4.0)
    # the better pick takes the label although the other is nearer
    assert found.matched.tolist() == [True, False, False]
    assert found.label_logit.tolist() == [3.0, -math.inf]
    other = Found(np.array([2.5]), np.array([True]), np.array([2.5]))
    both = joined([found, other])
    assert both.logit.tolist() == [3.0, 2.5, 2.0, 1.0]
    assert average_precision(both) == pytest.approx((1 + 1) / 3)
    assert average_precision(joined([])) == 0.0
    # ten picks, three labels: at ranks 2 and 9, one is not found at all
    logit = np.arange(10.0, 0.0, -1.0)
    hits = np.isin(np.arange(10), (1, 8))
    some = Found(logit, hits, np.array([9.0, 2.0, -np.inf]))
    assert [recall_among(some, n) for n in (0, 1, 2, 8, 9, 50)] == pytest.approx(
        [0, 0, 1 / 3, 1 / 3, 2 / 3, 2 / 3]
    )
    assert recall_among(joined([]), 5) == 0.0
