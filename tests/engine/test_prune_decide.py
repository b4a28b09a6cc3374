"""Decisions: every row once, one reason each, in the stated order."""

import numpy as np
import pytest

from frostpick.models.pruner.box_network import CLASSES
from frostpick.pruning.decide import ScoredRows, decide, duplicates
from frostpick.pruning.prior import particle_share
from frostpick.pruning.reasons import likely_reasons
from frostpick.training.pruner.calibration import fit_scores
from frostpick.types import REASONS, Decisions, sigmoid

pytestmark = pytest.mark.quick


def rows(score, *, likely="not particle", group=None, x=None, y=None, edge=None, row=None):
    n = len(score)
    names = [likely] * n if isinstance(likely, str) else likely
    nothing = np.full(n, np.nan)
    return ScoredRows(
        row=np.arange(n) if row is None else np.asarray(row),
        score=np.asarray(score, np.float64),
        spread=nothing,
        likely=np.array([REASONS.index(name) for name in names], np.int8),
        group=np.full(n, -1) if group is None else np.asarray(group),
        x_A=nothing if x is None else np.asarray(x, np.float64),
        y_A=nothing if y is None else np.asarray(y, np.float64),
        edge=np.zeros(n, np.bool_) if edge is None else np.asarray(edge),
    )


def test_reasons_in_their_order():
    table = rows(
        [3.0, -1.0, -1.0, -1.0, -1.0, -1.0, 0.4, 3.0, np.nan, 2.0],
        likely="carbon,carbon,ice,aggregate,not particle,low score,carbon,carbon,ice,carbon".split(
            ","
        ),
        group=[0] * 10,
        x=[0, 500, 500, 500, 500, 500, 500, 900, 0, 5],
        y=[0] * 10,
        edge=[False] * 7 + [True, True, False],
    )
    found = decide(table, threshold=0.5, min_distance_A=10.0)
    assert [REASONS[r] for r in found.reason] == [
        "",
        "carbon",
        "ice",
        "aggregate",
        "not particle",
        "low score",
        "low score",
        "edge",
        "not read",
        "duplicate",
    ]
    assert found.keep.tolist() == [True] + 9 * [False]
    assert found.counts() == {
        "kept": 1,
        "not particle": 1,
        "carbon": 1,
        "ice": 1,
        "aggregate": 1,
        "edge": 1,
        "duplicate": 1,
        "low score": 2,
        "not read": 1,
    }
    assert np.isnan(found.probability[8]) and found.probability[0] == sigmoid(3.0)


def test_a_reason_is_named_where_its_classes_have_most_of_the_probability():
    def of(**shares):
        rest = 1 - sum(shares.values())
        row = np.array([shares.get(name, 0.0) for name in CLASSES])
        row[CLASSES.index("particle")] += rest
        return REASONS[int(likely_reasons(row[None])[0])]

    assert of(aggregate=0.7) == "aggregate"
    assert of(carbon=0.61, ice=0.3) == "carbon"
    assert of(ice=0.95) == "ice"
    # four classes that have one reason between them count together
    assert (
        of(fragment=0.2, speck=0.2, micelle=0.1, background=0.2, aggregate=0.25) == "not particle"
    )
    # a particle beside others: an aggregate rather than any other class, and yet none surely
    assert of(aggregate=0.45, background=0.17, fragment=0.14) == "low score"
    assert of(aggregate=0.5, carbon=0.5) == "low score"
    assert of() == "low score"


def test_rows_come_out_once_and_by_their_number_whatever_their_order():
    rng = np.random.default_rng(0)
    order = rng.permutation(50)
    score = rng.normal(size=50)
    found = decide(rows(score, row=order), 0.0, 0.0)
    assert np.array_equal(found.row, np.arange(50))
    assert np.array_equal(found.score[order], score)
    assert np.array_equal(found.keep, found.score >= 0)


def greedy(score, x, y, group, distance):
    """Brute force over all pairs: by falling score, drop what is near a kept one."""
    gone = np.zeros(len(score), bool)
    kept = []
    for at in sorted(range(len(score)), key=lambda n: -score[n]):
        near = [
            o
            for o in kept
            if group[o] == group[at] and (x[o] - x[at]) ** 2 + (y[o] - y[at]) ** 2 < distance**2
        ]
        if near:
            gone[at] = True
        else:
            kept.append(at)
    return gone


def test_duplicates_are_those_of_brute_force():
    rng = np.random.default_rng(7)
    n = 400
    score, x, y = rng.normal(size=n), rng.uniform(-50, 300, n), rng.uniform(-50, 300, n)
    group = rng.integers(0, 3, n)
    table = rows(score, group=group, x=x, y=y)
    found = duplicates(table, np.ones(n, np.bool_), 25.0)
    assert np.array_equal(found, greedy(score, x, y, group, 25.0))
    assert 100 < found.sum() < 390
    assert not duplicates(table, np.ones(n, np.bool_), 0.0).any()
    unknown = rows(score, x=x, y=y)
    assert not duplicates(unknown, np.ones(n, np.bool_), 25.0).any()


def test_a_rejected_row_makes_no_duplicate():
    """The better one of two neighbours lies at the edge: the other one stays."""
    table = rows([3.0, 2.0], group=[0, 0], x=[0, 1], y=[0, 0], edge=[True, False])
    assert decide(table, 0.0, 10.0).keep.tolist() == [False, True]


def test_decisions_that_lose_or_repeat_a_row_are_refused():
    ones = np.ones(2)
    good = dict(keep=np.ones(2, np.bool_), score=ones, probability=ones, spread=ones)
    reason = np.zeros(2, np.int8)
    Decisions(row=np.array([0, 1]), reason=reason, **good)
    for row in ([0, 0], [1, 0], [0, 2]):
        with pytest.raises(ValueError, match="every row exactly once"):
            Decisions(row=np.array(row), reason=reason, **good)
    with pytest.raises(ValueError, match="kept exactly when it has no reason"):
        Decisions(row=np.array([0, 1]), reason=np.array([0, 1], np.int8), **good)


@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
def test_share_of_particles_is_found_from_exact_scores(share):
    """Scores of two Gaussians of unit width 3 apart: their exact log-odds are 3 (x - 1.5)."""
    rng = np.random.default_rng(int(100 * share))
    n = 20_000
    good = rng.random(n) < share
    x = rng.normal(size=n) + np.where(good, 3.0, 0.0)
    assert particle_share(3.0 * (x - 1.5)) == pytest.approx(share, abs=0.01)
    assert particle_share(np.array([])) == 0.5


def test_a_few_rows_do_not_settle_the_share():
    # Three sure particles beside the five of each kind that are taken as seen.
    assert particle_share([30.0, 30.0, 30.0]) == pytest.approx(8 / 13, abs=1e-6)
    assert particle_share([-30.0] * 3) == pytest.approx(5 / 13, abs=1e-6)


def test_calibration_finds_slope_and_offset():
    rng = np.random.default_rng(1)
    n = 6000
    good = rng.random(n) < 0.5
    x = rng.normal(size=n) + np.where(good, 3.0, 0.0)
    found = fit_scores(2.0 * (3.0 * (x - 1.5)) - 4.0, good)
    assert found.slope == pytest.approx(0.5, rel=0.1)
    assert found.offset == pytest.approx(2.0, abs=0.25)
    few = fit_scores(np.array([30.0, -30.0]), np.array([True, False]))
    assert few.slope < 3.0  # two labels that any slope explains move it little
    assert fit_scores(np.ones(3), np.ones(3, bool)).fitted_on == "nothing"
