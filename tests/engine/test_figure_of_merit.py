"""What the program that picked says of its picks counts for half of what it is worth."""

import numpy as np
import pytest

from frostpick.pruning.figure_of_merit import DOUBT, FEWEST, merit_word
from frostpick.report.pruning import worth_of_merit


def balanced(rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """As many scores of 2 as of -2: of even odds by symmetry, so the share term is 0."""
    score = np.tile([2.0, -2.0], rows // 2)
    return score, (score > 0).astype(float)


def test_half_of_the_log_likelihood_ratio_is_added():
    score, merit = balanced()
    word = merit_word(score, merit)
    # Each figure of merit has one score: its share is sigmoid(+-2), its log-odds +-2.
    assert word.added == pytest.approx(np.where(score > 0, 1.0, -1.0), abs=1e-6)
    assert word.merit.tolist() == [0.0, 1.0] and word.rows.tolist() == [100, 100]
    assert word.share == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))])


def test_what_falls_where_it_should_rise_is_levelled():
    # Of .8 and .4 in the wrong order the mean, .6; the log-odds are symmetrical, as above.
    share = np.repeat([0.2, 0.8, 0.4, 0.6], 50)
    word = merit_word(np.log(share / (1 - share)), np.repeat([1.0, 2.0, 3.0, 4.0], 50))
    assert word.share == pytest.approx([0.2, 0.6, 0.6, 0.6], abs=1e-5)
    assert word.added[[0, 50, 100, 150]] == pytest.approx(
        [np.log(0.2 / 0.8) / 2, *[np.log(0.6 / 0.4) / 2] * 3], abs=1e-5
    )


@pytest.mark.parametrize("scale", [np.exp, lambda m: 1e6 * m - 3, lambda m: -1 / (m + 3)])
def test_only_the_order_of_the_figures_of_merit_counts(scale):
    rng = np.random.default_rng(3)
    merit = np.clip(rng.normal(size=400), -2.5, None)
    score = merit + rng.normal(size=400)
    plain = merit_word(score, merit)
    assert np.ptp(plain.added) > 1
    np.testing.assert_allclose(merit_word(score, scale(merit)).added, plain.added, atol=1e-9)


def test_one_that_means_nothing_or_the_contrary_changes_nothing():
    score, merit = balanced()
    assert np.abs(merit_word(score, -merit).added).max() < 1e-5
    even = np.tile([1.0, 1.0, 2.0, 2.0], 50)
    assert np.abs(merit_word(score, even).added).max() < 1e-5


def test_a_row_without_one_or_without_a_score_is_left_alone():
    score, merit = balanced(400)
    merit[:20], score[20:40] = np.nan, np.nan
    word = merit_word(score, merit)
    assert not word.added[:40].any() and (word.added[40:] != 0).all()
    assert word.rows.sum() == 360


def test_too_few_or_all_alike_are_not_heard():
    score, merit = balanced(2 * FEWEST)
    assert merit_word(score, None) is None
    assert merit_word(score, np.ones_like(merit)) is None
    some = np.where(np.arange(len(merit)) < FEWEST - 1, merit, np.nan)
    assert merit_word(score, some) is None
    assert merit_word(score, np.full(len(merit), np.nan)) is None


def test_none_is_believed_beyond_reason():
    score, merit = balanced()
    word = merit_word(30 * score, merit)
    assert word.share.tolist() == [DOUBT, 1 - DOUBT]
    assert np.abs(word.added).max() == pytest.approx(0.5 * np.log((1 - DOUBT) / DOUBT), abs=1e-3)


@pytest.mark.parametrize(
    "merit, rows",
    [([0.0, 1.0], [1000, 1]), (np.linspace(-6, 5, 300), np.ones(300)), ([1.0, 2e9], [60, 60])],
)
def test_it_is_drawn_whatever_its_spread(merit, rows):
    figure = worth_of_merit(merit, np.linspace(0.1, 0.9, len(merit)), rows)
    assert figure.png.startswith(b"\x89PNG") and str(int(np.sum(rows))) in (
        figure.caption.replace(",", "")
    )
