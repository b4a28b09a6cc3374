"""Hand-made scenes with hand-computed AP and F1."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostpick.evaluation import Truth, calibration_error, evaluate
from frostpick.types import Labels, Picks, sigmoid

pytestmark = pytest.mark.quick

SHAPE = (200, 300)
D = 20.0


def picks(rows, name="a"):
    """rows: (x, y, score)"""
    x, y, s = np.array(rows, float).reshape(-1, 3).T
    return Picks.from_xy(name, x, y, score=s)


def truth(rows, name="a", edge=None):
    x, y = np.array(rows, float).reshape(-1, 2).T
    return Truth.from_xy(name, x, y, edge=edge, diameter_px=D, shape=SHAPE)


def score_one(pick_rows, truth_rows, rule="quarter", **options):
    return evaluate(
        {"a": picks(pick_rows)}, {"a": truth(truth_rows)}, D, {"a": SHAPE}, rule, **options
    )


def test_ap_and_f1_by_hand():
    # ranked: hit, miss, hit, miss; three particles
    # P at the hits 1, 2/3; AP = (1 + 2/3) / 3; F1 after 3 picks = 2 * (2/3) * (2/3) / (4/3) = 2/3
    r = score_one(
        [(50, 50, 4), (150, 150, 3), (100, 103, 2), (250, 50, 1)],
        [(50, 50), (100, 100), (200, 100)],
    )
    assert r.is_true.tolist() == [True, False, True, False]
    assert r.ap == pytest.approx((1 + 2 / 3) / 3)
    assert r.best_f1 == pytest.approx(2 / 3)
    assert r.threshold_at_best_f1 == 2.0
    assert r.at(3.0).precision == 0.5 and r.at(3.0).recall == pytest.approx(1 / 3)
    assert r.at(3.0).f1 == pytest.approx(0.4) and r.at(3.0).n_picks == 2
    assert r.at(9.0).n_picks == 0 and r.at(9.0).f1 == 0.0
    assert r.localisation_mean_px == pytest.approx(1.5)  # 0 and 3 px
    assert r.localisation_rms_px == pytest.approx(np.sqrt(4.5))


def test_a_duplicate_is_false_and_the_better_pick_chooses_first():
    # the better pick is farther away; the nearer one comes second and finds nothing free
    r = score_one([(104, 100, 2), (100, 100, 1)], [(100, 100)])
    assert r.is_true.tolist() == [True, False]
    assert r.ap == 1.0 and r.error_px[0] == 4.0 and np.isnan(r.error_px[1])


def test_the_second_pick_takes_the_second_nearest_particle():
    r = score_one([(102, 100, 2), (102, 101, 1)], [(100, 100), (106, 100)])
    assert r.is_true.tolist() == [True, True]
    assert r.error_px.tolist() == pytest.approx([2.0, np.hypot(4, 1)])


def test_equal_distances_go_to_the_particle_listed_first():
    r = score_one([(100, 100, 2), (98, 100, 1)], [(103, 100), (97, 100)])
    assert r.error_px.tolist() == [3.0, 1.0]


@pytest.mark.parametrize(
    ("rule", "offset", "hit"),
    [
        ("quarter", (5.0, 0.0), True),
        ("quarter", (5.001, 0.0), False),
        ("half", (10.0, 0.0), True),
        ("half", (6.0, 8.0), True),
        ("half", (10.001, 0.0), False),
        # squares shifted by d along one axis: IoU = (D - d) / (D + d) = 1/2 at d = D/3
        ("iou50", (6.66, 0.0), True),
        ("iou50", (6.67, 0.0), False),
        # along the diagonal: (D - d)^2 = 2/3 D^2, d = D (1 - sqrt(2/3)) = 3.67
        ("iou50", (3.66, 3.66), True),
        ("iou50", (3.68, 3.68), False),
    ],
)
def test_rules_at_their_limit(rule, offset, hit):
    r = score_one([(100 + offset[0], 100 + offset[1], 0)], [(100, 100)], rule)
    assert r.is_true.tolist() == [hit]


def test_edge_particles_and_border_picks_do_not_count():
    particles = [(5, 100), (100, 100)]  # the first circle crosses the border
    r = score_one([(6, 100, 5), (9.9, 30, 4), (10, 30, 3), (100, 100, 2), (290, 60, 1)], particles)
    assert r.n_true == 1 and r.n_ignored == 3  # 290 > 299 - 10
    assert r.score.tolist() == [3.0, 2.0]
    assert r.ap == 0.5


def test_border_picks_count_without_a_shape_and_edge_can_be_given():
    given_edge = truth([(100, 100), (50, 50)], edge=[True, False])
    r = evaluate({"a": picks([(100, 100, 2), (1, 1, 1)])}, {"a": given_edge}, D)
    assert (r.n_true, r.n_ignored, r.n_picks) == (1, 1, 1)
    assert r.is_true.tolist() == [False]


def test_a_core_match_near_the_border_counts():
    # the particle is inside (edge 0), the pick is nearer than a radius to the border
    r = score_one([(8, 100, 1)], [(11, 100)])
    assert r.is_true.tolist() == [True] and r.n_ignored == 0


def test_ties_keep_the_order_of_micrographs_and_rows():
    two = {"a": truth([(50, 50)]), "b": truth([(50, 50)], "b")}
    good, bad = [(50, 50, 1)], [(150, 150, 1)]
    first = evaluate({"a": picks(good + bad), "b": picks(bad, "b")}, two, D)
    assert first.is_true.tolist() == [True, False, False] and first.ap == 0.5
    last = evaluate({"a": picks(bad + good), "b": picks(bad, "b")}, two, D)
    assert last.is_true.tolist() == [False, True, False] and last.ap == 0.25


def test_pooled_over_micrographs_and_macro():
    # a: 1 particle found; b: 3 particles, one found, one false pick between them in score
    r = evaluate(
        {"a": picks([(50, 50, 1)]), "b": picks([(50, 50, 3), (250, 150, 2)], "b")},
        {"a": truth([(50, 50)]), "b": truth([(50, 50), (100, 100), (200, 100)], "b")},
        {"a": D, "b": D},
    )
    assert r.is_true.tolist() == [True, False, True]
    assert r.ap == pytest.approx((1 + 2 / 3) / 4)
    assert r.best_f1 == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert r.threshold_at_best_f1 == 1.0
    a, b = r.per_micrograph["a"], r.per_micrograph["b"]
    assert (a.ap, a.precision, a.recall, a.f1) == (1.0, 1.0, 1.0, 1.0)
    assert b.ap == pytest.approx(1 / 3) and b.precision == 0.5 and b.f1 == pytest.approx(0.4)
    assert r.macro()["f1"] == pytest.approx(0.7)
    assert json.loads(json.dumps(r.as_dict(), allow_nan=False))["ap"] == pytest.approx(r.ap)


def test_a_micrograph_outside_the_truth_counts_only_when_listed():
    both = {"a": picks([(50, 50, 1)]), "empty": picks([(50, 50, 2)], "empty")}
    t = {"a": truth([(50, 50)])}
    assert evaluate(both, t, D).ap == 1.0
    assert evaluate(both, t, D, micrographs=["a", "empty"]).ap == 0.5
    assert evaluate(both, t, D, micrographs=["empty"]).n_true == 0


@pytest.mark.parametrize("pick_rows", [[], [(50, 50, 1)]])
@pytest.mark.parametrize("truth_rows", [[], [(150, 150)]])
def test_nothing_found_or_nothing_there(pick_rows, truth_rows):
    r = score_one(pick_rows, truth_rows)
    assert r.ap == 0.0 and r.best_f1 == 0.0 and r.localisation_mean_px is None
    assert r.n_true == len(truth_rows) and r.n_picks == len(pick_rows)
    assert (r.threshold_at_best_f1 is None) == (not pick_rows)
    json.dumps(r.as_dict(), allow_nan=False)


def test_no_micrograph_at_all():
    r = evaluate({}, {}, D)
    assert r.ap == 0.0 and r.n_true == 0
    json.dumps(r.as_dict(), allow_nan=False)


def test_truth_against_itself_is_perfect():
    rng = np.random.default_rng(1)
    t = Labels.from_xy("a", rng.uniform(0, 300, 400), rng.uniform(0, 200, 400))
    r = evaluate({"a": t}, {"a": t}, D, {"a": SHAPE})
    assert r.ap == 1.0 and r.best_f1 == 1.0 and r.localisation_mean_px == 0.0
    assert 0 < r.n_ignored == 400 - r.n_true


def test_negative_labels_are_no_truth():
    t = Labels.from_xy("a", [50, 100], [50, 100], sign=np.array([1, -1]))
    assert evaluate({}, {"a": t}, D).n_true == 1


def test_wrong_input():
    with pytest.raises(ValueError, match="NaN"):
        score_one([(50, 50, np.nan)], [(50, 50)])
    with pytest.raises(ValueError, match="unknown rule"):
        score_one([], [], rule="third")
    with pytest.raises(ValueError, match="diameter"):
        evaluate({}, {"a": truth([])}, 0.0)
    with pytest.raises(ValueError, match="finite"):
        truth([(np.inf, 1)])


def test_calibration_error_by_hand():
    # bin 0.2: mean p 0.25, a quarter true -> 0; bin 0.8: mean p 0.85, half true -> 0.35
    p = [0.25] * 4 + [0.8, 0.9 - 1e-12, 0.8, 0.9 - 1e-12]
    t = [1, 0, 0, 0, 1, 1, 0, 0]
    assert calibration_error(p, t) == pytest.approx(0.5 * 0 + 0.5 * 0.35)
    assert calibration_error(p, t, 2, "count") == pytest.approx(0.175)
    assert calibration_error([1.0, 0.0], [True, False]) == 0.0
    assert np.isnan(calibration_error([], []))
    with pytest.raises(ValueError, match="outside"):
        calibration_error([1.2], [True])


def test_probabilities_are_calibrated_over_the_picks_that_count():
    r = score_one([(50, 50, 0), (1, 1, 9)], [(50, 50)])
    assert r.n_ignored == 1 and r.ece == pytest.approx(1 - float(sigmoid(0)))


def brute_force(pick_rows, truth_rows, limit):
    """Sequential greedy matching, written the slow and obvious way."""
    free = list(range(len(truth_rows)))
    hits = []
    for x, y, _ in sorted(pick_rows, key=lambda r: -r[2]):  # a stable sort
        near = sorted((np.hypot(truth_rows[j][0] - x, truth_rows[j][1] - y), j) for j in free)
        if near and near[0][0] <= limit:
            free.remove(near[0][1])
            hits.append(True)
        else:
            hits.append(False)
    return hits


grid = st.integers(0, 12)  # a small grid makes ties in distance and in score ordinary


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(grid, grid, st.integers(0, 5)), max_size=25),
    st.lists(st.tuples(grid, grid), max_size=25),
)
def test_matching_equals_the_obvious_loop(pick_rows, truth_rows):
    r = evaluate(
        {"a": picks(pick_rows)}, {"a": truth(truth_rows, edge=[False] * len(truth_rows))}, D
    )
    assert r.is_true.tolist() == brute_force(pick_rows, truth_rows, 5.0)
    assert r.is_true.sum() <= min(len(pick_rows), len(truth_rows))
    assert 0 <= r.ap <= 1 and r.at(-1).recall == pytest.approx(
        r.is_true.sum() / max(len(truth_rows), 1)
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 200), st.integers(-9, 9)), max_size=30))
def test_only_the_order_of_the_scores_matters(rows):
    t = [(x, y) for x, y, _ in rows[::2]]
    a = score_one(rows, t)
    b = score_one([(x, y, 3 * s + 7) for x, y, s in rows], t)
    assert a.ap == b.ap and a.best_f1 == b.best_f1
