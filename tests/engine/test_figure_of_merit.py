"""What the program that picked says of its picks counts for half of what it is worth."""

import numpy as np
import pytest

from frostpick.pruning.figure_of_merit import DOUBT, FEWEST, figure_of_merit_feature
from frostpick.report.pruning import worth_of_merit

#: sigmoid(2) and sigmoid(-2).
HIGH, LOW = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))


def balanced(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """As many scores of 2 as of -2, even odds by symmetry; three in four agree with the merit."""
    score = np.tile([2.0, -2.0, 2.0, -2.0, 2.0, -2.0, 2.0, -2.0], rows // 8)
    merit = np.tile([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0], rows // 8)
    return score, merit


def test_half_of_the_log_likelihood_ratio_is_added():
    score, merit = balanced()
    word = figure_of_merit_feature(score, merit)
    share = 0.75 * HIGH + 0.25 * LOW
    half = np.log(share / (1 - share)) / 2
    assert word.added == pytest.approx(np.where(merit > 0, half, -half), abs=1e-6)
    assert word.merit.tolist() == [0.0, 1.0] and word.rows.tolist() == [200, 200]
    assert word.share == pytest.approx([1 - share, share])


def test_the_share_may_be_told():
    score, merit = balanced()
    # A share of 1/10 has the odds 1 : 9; likelihoods are as they are.
    likely = [1 / (1 + 9 * np.exp(-s)) for s in (2.0, -2.0)]
    q = 0.75 * likely[0] + 0.25 * likely[1], 0.25 * likely[0] + 0.75 * likely[1]
    base = sum(q) / 2
    expected = [np.log(one / (1 - one)) - np.log(base / (1 - base)) for one in q]
    added = figure_of_merit_feature(score, merit, 0.1).added
    assert added[[0, 1]] == pytest.approx(np.array(expected) / 2, abs=1e-6)


def test_the_pruners_own_scores_are_no_second_word():
    score = np.random.default_rng(2).normal(size=500)
    assert figure_of_merit_feature(score, score) is None
    assert figure_of_merit_feature(score, 1 / (1 + np.exp(-score.round(2)))) is None
    assert (
        figure_of_merit_feature(score, score + np.random.default_rng(3).normal(size=500))
        is not None
    )


def test_what_falls_where_it_should_rise_is_levelled():
    # Of .8 and .4 in the wrong order the mean, .6; the log-odds are symmetrical, as above.
    share = np.repeat([0.2, 0.8, 0.4, 0.6], 50)
    word = figure_of_merit_feature(np.log(share / (1 - share)), np.repeat([1.0, 2.0, 3.0, 4.0], 50))
    assert word.share == pytest.approx([0.2, 0.6, 0.6, 0.6], abs=1e-5)
    assert word.added[[0, 50, 100, 150]] == pytest.approx(
        [np.log(0.2 / 0.8) / 2, *[np.log(0.6 / 0.4) / 2] * 3], abs=1e-5
    )


@pytest.mark.parametrize("scale", [np.exp, lambda m: 1e6 * m - 3, lambda m: -1 / (m + 3)])
def test_only_the_order_of_the_figures_of_merit_counts(scale):
    rng = np.random.default_rng(3)
    merit = np.clip(rng.normal(size=400), -2.5, None)
    score = merit + rng.normal(size=400)
    plain = figure_of_merit_feature(score, merit)
    assert np.ptp(plain.added) > 1
    np.testing.assert_allclose(
        figure_of_merit_feature(score, scale(merit)).added, plain.added, atol=1e-9
    )


def test_one_that_means_nothing_or_the_contrary_changes_nothing():
    score, merit = balanced()
    even = np.tile([1.0, 1.0, 2.0, 2.0], 100)
    # Clear cases all, so that the share is at its limit, and none.
    for some in (score, np.full(400, 9.0), np.full(400, -9.0)):
        for nothing in (-merit, even):
            assert np.abs(figure_of_merit_feature(some, nothing).added).max() < 1e-5


def test_a_row_without_one_or_without_a_score_is_left_alone():
    score, merit = balanced()
    merit[:20], score[20:40] = np.nan, np.nan
    word = figure_of_merit_feature(score, merit)
    assert not word.added[:40].any() and (word.added[40:] != 0).all()
    assert word.rows.sum() == 360


def test_too_few_or_all_alike_are_not_heard():
    score, merit = balanced(2 * FEWEST)
    assert figure_of_merit_feature(score, None) is None
    assert figure_of_merit_feature(score, np.ones_like(merit)) is None
    some = np.where(np.arange(len(merit)) < FEWEST - 1, merit, np.nan)
    assert figure_of_merit_feature(score, some) is None
    assert figure_of_merit_feature(score, np.full(len(merit), np.nan)) is None


def test_none_is_believed_beyond_reason():
    merit = np.tile([0.0, 1.0, 2.0, 3.0], 100)
    word = figure_of_merit_feature(np.where(merit > 1, 60.0, -60.0), merit)
    assert word.share.tolist() == [DOUBT, DOUBT, 1 - DOUBT, 1 - DOUBT]
    assert np.abs(word.added).max() == pytest.approx(0.5 * np.log((1 - DOUBT) / DOUBT), abs=1e-3)


@pytest.mark.parametrize(
    "merit, rows",
    [
        ([0.0, 1.0], [1000, 1]),
        (np.linspace(-6, 5, 300), np.ones(300)),
        ([1.0, 2e9], [60, 60]),
        ([0.3, 0.30000000000000004], [60, 60]),
        ([-1.7e308, 1.7e308], [60, 60]),
        ([1e16, 1e16 + 2], [60, 60]),
        ([0.0, 5e-324], [9, 9]),
    ],
)
def test_it_is_drawn_whatever_its_spread(merit, rows):
    figure = worth_of_merit(merit, np.linspace(0.1, 0.9, len(merit)), rows)
    assert figure.png.startswith(b"\x89PNG") and str(int(np.sum(rows))) in (
        figure.caption.replace(",", "")
    )
