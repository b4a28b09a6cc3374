"""What becomes of scored rows: pruned for the share of particles in the input, or verified."""

import numpy as np
import pytest

from frostpick.pruning.decide import ScoredRows
from frostpick.pruning.judge import prune_rows, verify_rows
from frostpick.settings import PruneSettings
from frostpick.types import REASONS

pytestmark = pytest.mark.quick


def rows(score, edge=None, row=None):
    n = len(score)
    nothing = np.full(n, np.nan)
    return ScoredRows(
        row=np.arange(n) if row is None else np.asarray(row),
        score=np.asarray(score, np.float64),
        spread=np.full(n, 0.5),
        likely=np.full(n, REASONS.index("carbon"), np.int8),
        group=np.full(n, -1),
        x_A=nothing,
        y_A=nothing,
        edge=np.zeros(n, np.bool_) if edge is None else np.asarray(edge),
    )


@pytest.mark.parametrize(
    "share, expected", [(0.2, [False, False]), (0.5, [True, False]), (0.8, [True, True])]
)
def test_scores_are_for_the_share_that_is_expected(share, expected):
    """Log-odds of a share: log(1/4) = -1.386294, 0, and log(4) = 1.386294."""
    asked = PruneSettings(particle_fraction=share, threshold="0")
    found = prune_rows(rows([1.0, -1.0]), None, asked, 0.0)
    assert found.decisions.keep.tolist() == expected
    shift = {0.2: -1.386294, 0.5: 0.0, 0.8: 1.386294}[share]
    np.testing.assert_allclose(found.decisions.score, [1 + shift, -1 + shift], atol=1e-6)
    assert found.share == share and found.threshold == 0 and found.word is None


def test_a_row_at_the_edge_counts_neither_for_the_share_nor_for_the_merit():
    """Of 300 sure particles and 100 sure others, half of each at the edge or unread."""
    score = np.array([20.0] * 300 + [-20.0] * 100)
    at = np.arange(400)
    edge, unread = at % 4 == 0, at % 4 == 1
    table = rows(np.where(unread, np.nan, score), edge)
    merit = at[::-1] % 7.0
    found = prune_rows(table, merit, PruneSettings(threshold="0"), 0.0)
    # 200 rows are left, 150 of them particles, and as if five more of each had been seen.
    assert found.share == pytest.approx((150 + 5) / (200 + 10), abs=1e-4)
    assert found.word is not None and found.word.rows.sum() == 200
    reasons = np.array(REASONS)[found.decisions.reason]
    assert (reasons[edge] == "edge").all() and (reasons[unread] == "not read").all()
    inside = ~edge & ~unread
    assert np.array_equal(found.decisions.keep[inside], score[inside] > 0)
    without = prune_rows(table, merit, PruneSettings(threshold="0", figure_of_merit=False), 0.0)
    assert without.word is None


def test_a_figure_of_merit_moves_doubtful_rows():
    """200 rows that the pruner is sure of give its worth; 100 without a word of its own take it."""
    good = np.arange(300) % 2 == 0
    score = np.where(good, 3.0, -3.0)
    score[200:] = 0.0
    merit = np.where(good, 0.9, 0.1)
    found = prune_rows(rows(score), merit, PruneSettings(particle_fraction=0.5, threshold="0"), 0.0)
    assert np.array_equal(found.decisions.keep, good)


def test_verifying_keeps_every_row(caplog):
    """sigmoid(2) = 0.880797 and sigmoid(-1) = 0.268941, in the order of the host's rows."""
    table = rows([2.0, np.nan, 3.0, -1.0], [False, False, True, False], row=[3, 0, 1, 2])
    found = verify_rows(table)
    told = found.decisions
    assert told.row.tolist() == [0, 1, 2, 3] and told.keep.all() and not told.reason.any()
    np.testing.assert_array_equal(told.score, [np.nan, np.nan, -1.0, 2.0])
    np.testing.assert_allclose(told.probability, [np.nan, np.nan, 0.268941, 0.880797], atol=1e-6)
    assert np.isnan(told.spread).tolist() == [False, True, False, False]
    assert found.threshold == -np.inf and found.share == 0.5
    assert "1 centres lie off their micrographs and have no score" in caplog.text


def test_rows_at_an_edge_are_counted_in_words(caplog):
    """No border unless asked: what a picker gave up to the edges is judged."""
    assert PruneSettings().border == 0
    asked = PruneSettings(border=0.5, threshold="0")
    with caplog.at_level("INFO"):
        prune_rows(rows([3.0, 3.0, -3.0], [True, False, True]), None, asked, 0.0)
    assert "2 of 3 rows are rejected as edge" in caplog.text and "0.5 diameters" in caplog.text
