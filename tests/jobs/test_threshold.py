"""The threshold of a job: chosen once, frozen, and typed elsewhere without loss."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from frostpick.picking.threshold import Cut
from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.pick.threshold import (
    Threshold,
    decide_threshold,
    log_threshold,
    minimum_fom,
)
from frostpick_jobs.tasks.pick.totals import Share

pytestmark = pytest.mark.quick

SCORES = np.array([3.14159, 2.71828, 0.57722, -4.5])


@pytest.fixture
def store(tmp_path) -> PickStore:
    return PickStore(tmp_path)


def shares(*micrographs: np.ndarray) -> dict[str, Share]:
    return {f"m{n}": Share(one, {}, False, 1.0) for n, one in enumerate(micrographs)}


#: The same scores on each of 12 micrographs: 36 likely particles.
TWELVE = shares(*[SCORES] * 12)


def test_auto_has_three_decimals_and_keeps_the_pick_it_was_chosen_for(store) -> None:
    # Probabilities .959, .938, .640, .011, in all 2.548: expected F1 is .540, .834, .915, .778.
    chosen = decide_threshold(store, "basis", "auto", TWELVE)
    assert chosen.score == 0.577 and not chosen.frozen
    typed = float(f"{minimum_fom(chosen.score):.3f}")
    assert (SCORES > typed).tolist() == (SCORES >= chosen.score).tolist() == [True] * 3 + [False]


def test_frozen_for_later_micrographs_of_the_same_basis_and_rule(store) -> None:
    first = decide_threshold(store, "basis", "auto", TWELVE)
    later = shares(*[SCORES] * 12, np.array([9.0, 8.0]))
    again = decide_threshold(store, "basis", "auto", later)
    assert again.score == first.score and again.frozen
    assert not decide_threshold(store, "other", "auto", TWELVE).frozen
    assert decide_threshold(store, "other", "-1.5", TWELVE).score == -1.5


def test_the_chosen_row_stands_once_in_the_table_of_the_log(caplog) -> None:
    with caplog.at_level(logging.INFO):
        log_threshold(Threshold(-0.8473, "p=0.3", frozen=False), SCORES)  # a level is -0.847298
    assert [line[:11] for line in caplog.messages].count("      -0.85") == 1


def test_without_a_pick_the_models_own_threshold_serves_and_nothing_is_frozen(store) -> None:
    nothing = shares(np.zeros(0))
    assert decide_threshold(store, "basis", "auto", nothing, own=-0.75).score == -0.75
    # 20 micrographs of 60 candidates each are evidence enough.
    later = shares(np.zeros(0), *[np.tile(SCORES, 15)] * 20)
    assert decide_threshold(store, "basis", "auto", later, own=-0.75).score == 0.577


# Sessions. SCORES on every micrograph have the threshold .577, LOWER ones of their own: their
# probabilities .881, .5, .269, .018, in all 1.668: expected F1 is .661, .753, .707, .589.
LOWER = np.array([2.0, 0.0, -1.0, -4.0])
BLANK = np.full(90, -5.5)


def test_a_session_is_provisional_then_chosen_once_and_frozen(store, caplog) -> None:
    caplog.set_level(logging.INFO)
    first = decide_threshold(store, "basis", "auto", shares(BLANK), own=-0.1089)
    assert (first.score, first.provisional, first.frozen) == (-0.109, True, False)
    assert not first.of("m0").count(BLANK)
    many = [np.tile(SCORES, 15)] * 20
    grown = decide_threshold(store, "basis", "auto", shares(BLANK, *many[:19]), own=-0.1089)
    assert (grown.score, grown.provisional, grown.frozen) == (-0.109, True, True)

    full = shares(BLANK, *many)
    chosen = decide_threshold(store, "basis", "auto", full, own=-0.1089)
    assert (chosen.score, chosen.provisional, chosen.frozen) == (0.577, False, False)
    assert "over 20 micrographs with 1200 candidates, from now on frozen" in caplog.text
    # What was delivered keeps its cut; the one that is new has the new one.
    assert {n: chosen.of(n).score for n in full} == {
        **{f"m{n}": -0.109 for n in range(20)},
        "m20": 0.577,
    }
    assert chosen.before == 20 and chosen.changed == 0

    last = shares(BLANK, *many, *[np.tile(LOWER, 15)] * 40)
    after = decide_threshold(store, "basis", "auto", last, own=-0.1089)
    assert (after.score, after.frozen, after.provisional) == (0.577, True, False)
    assert len(after.kept) == 20 and after.of("m60").score == 0.577


def test_renewed_for_all_at_the_users_word(store) -> None:
    doubtful = np.append(SCORES, -0.3)  # p = .43, below half of the largest F1: auto leaves it
    session = shares(*[doubtful] * 8)
    assert decide_threshold(store, "basis", "auto", session, own=-0.4).own  # 24 likely
    later = shares(*[doubtful] * 8, *[SCORES] * 12)
    assert decide_threshold(store, "basis", "auto", later, own=-0.4).changed == 0
    renewed = decide_threshold(store, "basis", "auto", later, own=-0.4, renew=True)
    assert renewed.score == 0.577 and not renewed.kept
    assert (renewed.before, renewed.changed) == (20, 8)
    again = decide_threshold(store, "basis", "auto", later, own=-0.4)
    assert again.score == 0.577 and again.frozen and not again.kept and not again.changed


def test_a_corrected_pixel_size_unfreezes_and_spares_the_others(store) -> None:
    first = shares(*[SCORES] * 40)
    assert decide_threshold(store, "basis", "auto", first).score == 0.577
    corrected = {n: replace(one, scores=LOWER, pixel_size_A=2.0) for n, one in first.items()}
    corrected["m0"] = first["m0"]
    new = decide_threshold(store, "basis", "auto", corrected)
    assert not new.frozen and new.score == 0.0
    assert new.kept == {"m0": Cut(0.577)} and new.of("m1").score == 0.0


@pytest.mark.parametrize("rule", ["0.3", "p=0.6", "precision=0.9"])
def test_other_rules_are_never_the_models_own_and_precision_settles(store, rule) -> None:
    first = decide_threshold(store, "basis", rule, shares(BLANK), own=-0.1)
    expected = {"0.3": 0.3, "p=0.6": 0.405465, "precision=0.9": 2.197225}[rule]  # log odds
    assert first.score == pytest.approx(expected, abs=1e-6) and not first.provisional
    full = shares(BLANK, *[np.tile(SCORES, 15)] * 20)
    later = decide_threshold(store, "basis", rule, full, own=-0.1)
    if rule == "precision=0.9":  # (.959 + .938) / 2 = .949, with .640 it is .846
        assert later.score == 2.71828 and not later.frozen
        assert later.of("m0").score == first.score
    else:
        assert later.score == first.score and later.frozen and not later.provisional


def test_a_micrograph_that_was_away_has_its_cut_when_it_is_back(store) -> None:
    decide_threshold(store, "basis", "auto", shares(SCORES, SCORES), own=-0.1)
    decide_threshold(store, "basis", "auto", {"m1": shares(SCORES, SCORES)["m1"]}, own=-0.1)
    full = shares(SCORES, *[np.tile(SCORES, 15)] * 20)
    back = decide_threshold(store, "basis", "auto", full, own=-0.1)
    assert back.kept == {"m0": Cut(-0.1), "m1": Cut(-0.1)} and back.score == 0.577


@pytest.mark.parametrize("damage", ['{"basis": "basis"}', "{", '{"basis": "basis", "rule": 1}'])
def test_a_damaged_note_is_none(store, tmp_path, damage) -> None:
    decide_threshold(store, "basis", "auto", TWELVE)
    (tmp_path / "threshold.json").write_text(damage)
    assert not decide_threshold(store, "basis", "auto", TWELVE).frozen


def test_so_many_of_each_micrograph_are_chosen_at_once_and_never_frozen(store, caplog) -> None:
    few = shares(SCORES, LOWER)
    chosen = decide_threshold(store, "basis", "per-micrograph=2", few)
    # 3.14, 2.72 of the first and 2, 0 of the second
    assert [chosen.of(n).score for n in few] == [2.71828, 0.0] and chosen.score == 0.0
    assert not (chosen.frozen or chosen.provisional or chosen.kept) and chosen.others == 1
    more = shares(SCORES, LOWER, SCORES - 5)
    later = decide_threshold(store, "basis", "per-micrograph=2", more)
    assert later.score == 2.71828 - 5 and not later.frozen and not later.kept
    assert later.before == 2 and later.changed == 0
    with caplog.at_level(logging.INFO):
        log_threshold(later, SCORES)
    assert "the best of each micrograph; the least score among them is -2.282" in caplog.text
    assert "minimum figure of merit" not in caplog.text and "<- chosen" not in caplog.text


def test_a_fraction_freezes_with_its_ties(store) -> None:
    # Of 12 x 4 picks the best .3 are 14.4, so 15: 12 of 3.14 and 3 of 2.72, the first ones.
    first = decide_threshold(store, "basis", "fraction=.3", TWELVE)
    picked = [first.of(n).count(one.scores) for n, one in TWELVE.items()]
    assert picked == [2] * 3 + [1] * 9 and first.score == 2.71828
    # One more micrograph: what was delivered stays, and the new one has the score of before.
    grown = decide_threshold(store, "basis", "fraction=.3", shares(*[SCORES] * 13))
    picked = [grown.of(n).count(SCORES) for n in shares(*[SCORES] * 13)]
    assert picked == [2] * 3 + [1] * 9 + [2] and grown.frozen and grown.changed == 0
