"""Points that are near, first and matched, against loops over all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostpick.points import first_within, greedy_match, nearest_distance, pairs_within

pytestmark = pytest.mark.quick

places = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=25)


def array(points):
    return np.array(points, float).reshape(-1, 2)


@given(places, st.integers(1, 7))
def test_the_first_stays_and_drops_what_is_nearer(points, distance):
    kept: list[int] = []
    for n, (x, y) in enumerate(points):
        squares = [(x - points[k][0]) ** 2 + (y - points[k][1]) ** 2 for k in kept]
        if all(square >= distance**2 for square in squares):
            kept.append(n)
    assert np.flatnonzero(first_within(array(points), distance)).tolist() == kept


def test_exactly_the_distance_is_not_nearer_and_slack_forgives_rounding():
    assert first_within(array([(0, 0), (3, 4)]), 5.0).all()
    rounded = np.array([[0.4, 0.0], [0.7, 0.0]])  # 0.7 - 0.4 is a little less than 0.3
    assert first_within(rounded, 0.3).tolist() == [True, False]
    assert first_within(rounded, 0.3, 1e-12).all()
    assert first_within(array([(0, 0), (0, 0)]), 0.0).all()
    assert first_within(array([(0, 0), (0, 0)]), 0.1).tolist() == [True, False]


@given(places, places)
def test_nearest_is_that_of_loops(points, others):
    found = nearest_distance(array(points), array(others))
    for (x, y), distance in zip(points, found, strict=True):
        least = min((math.dist((x, y), other) for other in others), default=math.inf)
        assert distance == pytest.approx(least)


@given(places, places, st.integers(0, 9))
def test_pairs_are_those_of_loops_the_reach_included(points, others, reach):
    point, other, apart = pairs_within(array(points), array(others), reach)
    expected = {
        (i, j)
        for i, (x, y) in enumerate(points)
        for j, (u, v) in enumerate(others)
        if (x - u) ** 2 + (y - v) ** 2 <= reach**2
    }
    assert set(zip(point.tolist(), other.tolist(), strict=True)) == expected
    assert len(point) == len(expected)
    assert np.array_equal(apart, array(others)[other] - array(points)[point])


def test_a_pick_of_better_rank_chooses_first_and_ties_go_to_the_lower_index():
    pick, truth = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 0])
    quality = np.array([1.0, 1.0, 5.0, 1.0, 9.0])
    assert greedy_match(pick, truth, quality, np.array([0, 1, 2]), 2).tolist() == [0, 1, -1]
    assert greedy_match(pick, truth, quality, np.array([2, 0, 1]), 2).tolist() == [1, 0, -1]
    assert greedy_match(pick, truth, quality, np.array([2, 1, 0]), 2).tolist() == [-1, 1, 0]
