"""The threshold of a job: chosen once, frozen, and typed elsewhere without loss."""

import logging

import numpy as np
import pytest

from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.pick.threshold import (
    Threshold,
    decide_threshold,
    log_threshold,
    minimum_fom,
)

SCORES = np.array([3.14159, 2.71828, 0.57722, -4.5])


@pytest.fixture
def store(tmp_path) -> PickStore:
    return PickStore(tmp_path)


def test_auto_has_three_decimals_and_keeps_the_pick_it_was_chosen_for(store) -> None:
    # Probabilities .959, .938, .640, .011, in all 2.548: expected F1 is .540, .834, .915, .778.
    chosen = decide_threshold(store, "basis", "auto", SCORES)
    assert chosen.score == 0.577 and not chosen.frozen
    typed = float(f"{minimum_fom(chosen.score):.3f}")
    assert (SCORES > typed).tolist() == (SCORES >= chosen.score).tolist() == [True] * 3 + [False]


def test_frozen_for_later_micrographs_of_the_same_basis_and_rule(store) -> None:
    first = decide_threshold(store, "basis", "auto", SCORES)
    again = decide_threshold(store, "basis", "auto", np.append(SCORES, [9.0, 8.0]))
    assert again.score == first.score and again.frozen
    assert not decide_threshold(store, "other", "auto", SCORES).frozen
    assert decide_threshold(store, "other", "-1.5", SCORES).score == -1.5


def test_the_chosen_row_stands_once_in_the_table_of_the_log(caplog) -> None:
    with caplog.at_level(logging.INFO):
        log_threshold(Threshold(-0.8473, "p=0.3", frozen=False), SCORES)  # a level is -0.847298
    assert [line[:11] for line in caplog.messages].count("      -0.85") == 1


def test_without_a_pick_the_models_own_threshold_serves_and_nothing_is_frozen(store) -> None:
    assert decide_threshold(store, "basis", "auto", np.zeros(0), own=-0.75).score == -0.75
    assert decide_threshold(store, "basis", "auto", SCORES, own=-0.75).score == 0.577
