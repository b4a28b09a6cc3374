"""Recall by held-out labels: its interval, and its way into a card and back."""

import json

import numpy as np
import pytest

from frostpick.picking.held_out import ENTRY, HeldOutLabels, held_out_of

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("found", "labels", "low", "high"),
    # Jeffreys intervals of 95 % as published for n = 10 and n = 30 (Brown, Cai and DasGupta 2001)
    [(0, 10, 0.0, 0.217), (1, 10, 0.011, 0.381), (5, 10, 0.224, 0.776), (30, 30, 0.920, 1.0)],
)
def test_the_interval_is_jeffreys(found, labels, low, high):
    score = np.where(np.arange(labels) < found, 1.0, -np.inf)
    told = HeldOutLabels(score).recall(0.0)
    assert (told.found, told.labels, told.share) == (found, labels, found / labels)
    assert (told.low, told.high) == pytest.approx((low, high), abs=2e-3)


def test_a_missed_view_costs_recall_at_every_cut():
    held = HeldOutLabels(np.array([2.0, 1.0, -1.0, -np.inf]))
    assert [held.recall(cut).share for cut in (1.0, 0.0, -5.0)] == [0.5, 0.5, 0.75]
    assert str(held.recall(0.0)) == "0.50 (0.12 to 0.88)"
    assert held.title == "recall of 4 held-out labels"


def test_a_card_keeps_them_as_plain_values():
    held = HeldOutLabels(np.array([-0.1239, -np.inf, 2.5]))
    entry = json.loads(json.dumps(held.as_entry(), allow_nan=False))
    assert entry == {"labels": 3, "scores": [2.5, -0.124]}
    back = held_out_of({ENTRY: entry})
    assert back.score.tolist() == [2.5, -0.124, -np.inf]
    assert held_out_of({}) is None and held_out_of({ENTRY: {"labels": 0, "scores": []}}) is None
