"""Rules that ask for a number of picks, with numbers that are counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from frostpick.errors import ConfigError, InputError
from frostpick.picking.counted import counted_cuts, least_of, wanted_of
from frostpick.picking.threshold import Cut, choose_threshold
from frostpick.pruning.decide import ScoredRows
from frostpick.pruning.judge import prune_rows
from frostpick.settings import PruneSettings, Threshold
from frostpick.types import REASONS, Picks

pytestmark = pytest.mark.quick

#: Three micrographs, seven picks: 5, 4, 3, 3 | 3, 1 | none | 2.
SCORES = [np.array([5.0, 4.0, 3.0, 3.0]), np.array([3.0, 1.0]), np.zeros(0), np.array([2.0])]


def selected(rule):
    cuts = counted_cuts(SCORES, Threshold.parse(rule))
    return [cut.selects(one).tolist() for cut, one in zip(cuts, SCORES, strict=True)]


def test_a_fraction_of_all_is_the_best_and_ties_go_to_the_first():
    # .5 of 7 is 3.5, so four: 5, 4, and of three picks of 3 the first two, both on the first.
    assert selected("fraction=0.5") == [[True] * 4, [False, False], [], [False]]
    # three: 5, 4 and one of the 3s
    assert selected("fraction=.42") == [[True, True, True, False], [False] * 2, [], [False]]
    # .7 of 7 is 4.9, so five: all of 3 and above
    assert selected("fraction=0.7") == [[True] * 4, [True, False], [], [False]]
    assert selected("fraction=1") == [[True] * 4, [True, True], [], [True]]


def test_so_many_of_each_micrograph():
    assert selected("per-micrograph=1") == [[True] + [False] * 3, [True, False], [], [True]]
    assert selected("per-micrograph=3") == [[True] * 3 + [False], [True, True], [], [True]]
    assert selected("per-micrograph=300") == [[True] * 4, [True, True], [], [True]]


@pytest.mark.parametrize("rule, least", [("per-micrograph=2", 1.0), ("fraction=0.7", 3.0)])
def test_the_least_score_that_is_selected(rule, least):
    # two of each: 5, 4 | 3, 1 | | 2
    assert least_of(counted_cuts(SCORES, Threshold.parse(rule)), SCORES) == least
    assert least_of([Cut(7.0)], [np.array([1.0])]) == 0.0


@pytest.mark.parametrize(
    "picks, fraction, wanted",
    [(10, 0.7, 7), (100, 0.07, 7), (5, 0.7, 4), (3, 0.01, 1), (0, 0.5, 0), (7, 1.0, 7)],
)
def test_a_fraction_in_numbers(picks, fraction, wanted):
    assert wanted_of(picks, fraction) == wanted


def test_without_any_pick():
    for rule in ("fraction=0.5", "per-micrograph=3"):
        cuts = counted_cuts([np.zeros(0)] * 2, Threshold.parse(rule))
        assert [cut.count(np.zeros(0)) for cut in cuts] == [0, 0]
    assert counted_cuts([], Threshold.parse("fraction=0.5")) == []


def test_of_equal_scores_the_upper_and_then_the_left_pick_is_selected():
    """Whatever the order of the rows is."""
    picks = Picks.from_xy("m", [9.0, 1.0, 5.0, 0.0], [2.0, 7.0, 2.0, 0.0], score=[3, 3, 3, 1])
    assert Cut(3.0, 2).select(picks).selected.tolist() == [True, False, True, False]
    assert Cut(3.0, 1).select(picks).selected.tolist() == [False, False, True, False]
    assert Cut(3.0).select(picks).selected.tolist() == [True, True, True, False]


@pytest.mark.parametrize("rule", ["fraction", "per-micrograph"])
@pytest.mark.parametrize("number", ["0", "1.1", "-3", "2.5", "", "nan", "inf"])
def test_wrong_numbers(rule, number):
    with pytest.raises(ConfigError, match="per-micrograph=NUMBER"):
        Threshold.parse(f"{rule}={number}")


def test_one_score_for_all_is_not_asked_of_them():
    with pytest.raises(ValueError, match="a cut for each micrograph"):
        choose_threshold(np.zeros(3), "fraction=0.5")
    with pytest.raises(ValueError, match="does not count"):
        counted_cuts(SCORES, Threshold.parse("auto"))


#: Rows of a pruning. On micrograph 0 two good ones, a duplicate of the first (1 A away, and with
#: another's score), and one at the edge; on 1 three, one of them not read.
ROWS = ScoredRows(
    row=np.arange(8),
    score=np.array([5.0, 4.0, 4.5, 9.0, 3.0, 2.0, np.nan, 4.0]),
    spread=np.zeros(8),
    likely=np.full(8, REASONS.index("ice"), np.int8),
    group=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
    x_A=np.array([0.0, 500, 1, 900, 0, 500, 900, 700]),
    y_A=np.zeros(8),
    edge=np.array([False, False, False, True, False, False, False, False]),
)


def pruned(rule, table=ROWS):
    """Of even odds, so that scores stay what they are."""
    asked = PruneSettings(threshold=rule, particle_fraction=0.5)
    found = prune_rows(table, None, asked, 10.0)
    return [REASONS[r] for r in found.decisions.reason], found.threshold


@pytest.mark.parametrize(
    "rule, reasons, least",
    [
        # five rows can be kept: 5, 4 | 3, 2, 4. Three of them: 5 and both of 4.
        ("fraction=.6", ",,duplicate,edge,low score,low score,not read,", 4.0),
        # two: 5, and of the two with 4 the one on the first micrograph
        ("fraction=.4", ",,duplicate,edge,low score,low score,not read,low score", 4.0),
        ("fraction=1", ",,duplicate,edge,,,not read,", 2.0),
        ("per-micrograph=1", ",low score,low score,edge,low score,low score,not read,", 4.0),
        ("per-micrograph=2", ",,duplicate,edge,,low score,not read,", 3.0),
    ],
)
def test_pruning_keeps_so_many_of_the_rows_that_could_be_kept(rule, reasons, least):
    """A duplicate below its micrograph's last score has a low score, as with any threshold."""
    assert pruned(rule) == (reasons.split(","), least)


def test_a_duplicate_of_equal_score_takes_no_place():
    """Both of a pair have the score at which the cut falls: one is kept, not both, not none."""
    twins = replace(ROWS, score=np.array([5.0, 4.0, 5.0, 9.0, 3.0, 2.0, np.nan, 1.0]))
    found, _ = pruned("per-micrograph=1", twins)
    assert found[0] == "" and found[2] != "" and found.count("") == 2


def test_rows_without_a_micrograph():
    lost = replace(ROWS, group=np.full(8, -1))
    with pytest.raises(InputError, match="the micrograph of 7 rows is not known"):
        # without micrographs no row is a duplicate: all but one were read, and one is at the edge
        pruned("per-micrograph=3", replace(lost, edge=np.zeros(8, np.bool_)))
    # .5 of six rows, one unread and one at the edge
    found, _ = pruned("fraction=.5", lost)
    assert found.count("") == 3 and found[3] == "edge"
