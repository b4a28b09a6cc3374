"""Judged picks: which are drawn, and what follows, against hand sums and against a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import draw_spots, noise, write_mrc
from scipy.stats import beta, binom

from frostpick.auditing.boxes import PX_PER_DIAMETER, boxes_around
from frostpick.auditing.estimate import Judged
from frostpick.auditing.interval import share_bounds
from frostpick.auditing.strata import Strata, cut_strata, draw_picks, stratum_of
from frostpick.errors import InputError
from frostpick.types import LocalFile, Micrograph

pytestmark = pytest.mark.quick

NAN = np.nan


def judged(strata: Strata, stratum: list[int], answer: list[float], junk=None) -> Judged:
    at = np.array(stratum)
    told = np.full(len(at), NAN) if junk is None else np.array(junk)
    return Judged(strata, at, strata.least[at], np.array(answer, np.float64), told)


#: 10, 20 and 70 picks of scores 3, 2 and 1.
THREE = Strata(np.array([10, 20, 70]), np.array([3.0, 2.0, 1.0]))
SCORES = np.repeat([3.0, 2.0, 1.0, -4.0], [10, 20, 70, 900])


def test_a_judged_pick_stands_for_its_stratum() -> None:
    found = judged(THREE, [0, 0, 1, 2, 2], [1, 1, 0, 1, 0])
    # Strata of two judged halve: (10 * 2/2 + 20 * 0/1 + 70 * 1/2) / 100 = .45
    every = found.at(1.0, SCORES)
    assert (every.picks, every.judged) == (100, 5)
    assert every.precision == pytest.approx(0.45)
    # Kish: weights .05, .05, .2, .35, .35: the sum of squares is .29.
    number = 1 / 0.29
    low = beta.ppf(0.025, 0.45 * number + 0.25, 0.55 * number + 0.75)
    high = beta.ppf(0.975, 0.45 * number + 0.75, 0.55 * number + 0.25)
    assert (every.low, every.high) == (pytest.approx(low), pytest.approx(high))
    # (10 * 1 + 20 * 0) / 30
    assert found.at(2.0, SCORES).precision == pytest.approx(1 / 3)
    assert [one.precision for one in found.cuts()] == pytest.approx([1, 1 / 3, 0.45])
    assert [one.picks for one in found.cuts()] == [10, 30, 100]


def test_what_was_not_judged_is_counted_with_its_neighbour() -> None:
    found = judged(THREE, [0, 1, 2], [1, NAN, 0])
    # The middle stratum has two neighbours as near, and goes to the better: (10 + 20) / 100.
    assert found.at(1.0, SCORES).precision == pytest.approx(0.3)
    assert found.count == 2
    nothing = judged(THREE, [0, 1, 2], [NAN] * 3).at(1.0, SCORES)
    assert np.isnan(nothing.precision) and (nothing.low, nothing.high, nothing.bound) == (0, 1, 0)


def test_a_threshold_may_lie_inside_a_stratum_or_below_all() -> None:
    scores = np.array([4.0, 3.5, 3.0, 2.5, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    strata = Strata(np.array([3, 2]), np.array([3.0, 2.0]))
    found = judged(strata, [0, 1], [1, 0])
    # All three of the first, one of two of the second: 3 / 4.
    assert found.at(2.5, scores).precision == pytest.approx(0.75)
    wide, inside = found.at(-1.0, scores), found.at(2.0, scores)
    assert wide.picks == 10 and wide.judged == 2
    # Nobody looked at half of them: they may all be particles, or none.
    assert (wide.low, wide.bound) == (inside.low / 2, inside.bound / 2)
    assert wide.high == inside.high / 2 + 0.5


def test_the_share_of_junk_is_weighted_as_the_picks_are() -> None:
    found = judged(THREE, [0, 1, 1, 2], [1, 0, 0, 0], [NAN, 1, NAN, 0])
    # Of the false ones told, 10 of the second stratum are junk, 70 of the third are not.
    assert found.junk_share(1.0, SCORES) == (pytest.approx(10 / 80), 2)
    share, told = found.junk_share(3.0, SCORES)
    assert np.isnan(share) and told == 0


def test_the_interval_lies_midway_and_is_exact_at_its_ends() -> None:
    share, number = np.array([0.9, 1.0, 0.0]), np.array([50.0, 30.0, 30.0])
    low, high = share_bounds(share, number, 0.025)
    assert low[0] == pytest.approx(beta.ppf(0.025, 45.25, 5.75))
    assert high[0] == pytest.approx(beta.ppf(0.975, 45.75, 5.25))
    # Thirty of thirty: the share p with p ** 30 = .025, not Jeffreys' narrower .92.
    assert low[1] == pytest.approx(0.025 ** (1 / 30)) and high[1] == 1
    assert low[2] == 0 and high[2] == pytest.approx(1 - 0.025 ** (1 / 30))


def test_the_interval_covers_every_share_by_the_binomial_law() -> None:
    for n in (20, 52, 100):
        yes = np.arange(n + 1)
        low, high = share_bounds(yes / n, np.full(n + 1, float(n)), 0.025)
        for p in np.linspace(0.5, 0.998, 150):
            assert binom.pmf(yes[(low <= p) & (p <= high)], n, p).sum() >= 0.93


def test_the_strata_end_at_the_threshold_and_reach_below_it() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(-2, 3, 5000)
    strata = cut_strata(scores, 0.5, 60)
    assert len(strata) == 60
    selected = np.count_nonzero(scores >= 0.5)
    assert selected in np.cumsum(strata.size)
    assert strata.size.sum() == pytest.approx(1.4 * selected, abs=1)
    np.testing.assert_array_equal(
        np.bincount(stratum_of(strata, scores), minlength=61)[:60], strata.size
    )
    again = cut_strata(rng.permutation(scores), 0.5, 60)
    np.testing.assert_array_equal(again.size, strata.size)


@pytest.mark.parametrize("threshold", [-9.0, 9.0])
def test_the_strata_of_few_picks_or_of_a_threshold_outside(threshold: float) -> None:
    scores = np.linspace(-3, 3, 25)
    strata = cut_strata(scores, threshold, 60)
    assert strata.size.tolist() == [1] * 25
    equal = cut_strata(np.repeat([2.0, 1.0], 40), threshold, 60)  # no cut tells them apart
    assert equal.size.tolist() == [40, 40] and equal.least.tolist() == [2, 1]
    with pytest.raises(InputError, match="no pick to judge"):
        cut_strata(np.zeros(0), threshold, 60)


def test_one_pick_of_each_stratum_every_one_alike_and_never_twice() -> None:
    rng = np.random.default_rng(3)
    scores, micrograph = rng.normal(0, 2, 600), rng.integers(0, 40, 600)
    strata = cut_strata(scores, 0.0, 30)
    chosen = draw_picks(strata, scores, micrograph, 7)
    assert stratum_of(strata, scores[chosen]).tolist() == list(range(30))
    np.testing.assert_array_equal(chosen, draw_picks(strata, scores, micrograph, 7))
    assert np.bincount(micrograph[chosen]).max() <= 3
    second = draw_picks(strata, scores, micrograph, 8, chosen)
    assert len(second) == 30 and not set(chosen) & set(second)
    whole = draw_picks(
        strata, scores, micrograph, 8, np.flatnonzero(stratum_of(strata, scores) == 4)
    )
    assert 4 not in stratum_of(strata, scores[whole]) and len(whole) == 29


def test_a_micrograph_full_of_junk_keeps_its_share() -> None:
    """One of 50 has a third of the picks: a cap for all alike would hide it."""
    rng = np.random.default_rng(5)
    micrograph = np.concatenate([np.zeros(500, np.int64), rng.integers(1, 50, 1000)])
    scores = rng.normal(0, 2, 1500)
    strata = cut_strata(scores, 0.0, 60)
    drawn = [draw_picks(strata, scores, micrograph, seed) for seed in range(60)]
    shares = [np.mean(micrograph[one] == 0) for one in drawn]
    assert np.mean(shares) == pytest.approx(1 / 3, abs=0.03)
    assert max(np.bincount(micrograph[one])[1:].max() for one in drawn) <= 3


def test_a_box_shows_the_pick_in_its_middle_and_nothing_off_the_micrograph(tmp_path) -> None:
    image = 100 + noise((400, 500), 1)
    draw_spots(image, [(250, 130), (3, 390)], 40.0, 6.0)
    path = tmp_path / "m.mrc"
    write_mrc(path, image.astype(np.float32), 2.0)
    one = Micrograph("m", LocalFile(path))
    whole, cut = boxes_around(one, np.array([250.0, 3.0]), np.array([130.0, 390.0]), 2.0, 80.0)
    side = 2 * int(PX_PER_DIAMETER)
    assert whole.shape == cut.shape == (side, side)
    assert np.unravel_index(np.argmin(whole), whole.shape) == (side // 2, side // 2)
    assert np.unravel_index(np.nanargmin(cut), cut.shape) == (side // 2, side // 2)
    # 80 A in 32 pixels are 1.25 micrograph pixels each: the left edge is 2 pixels from the middle,
    # the lower one 7.
    assert np.isfinite(whole).all()
    assert np.isnan(cut[:, : side // 2 - 3]).all() and np.isnan(cut[side // 2 + 8 :]).all()
    assert np.isfinite(cut[side // 2, side // 2 :]).all()
