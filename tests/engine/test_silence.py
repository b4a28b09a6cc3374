"""What soft labels miss is learned from the labels that lie there; expected values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from frostpick.sampling import Sampling
from frostpick.training.examples import Region, TrainingImage
from frostpick.training.picker.distillation import Distillation
from frostpick.training.picker.silence import (
    MOST,
    find_silence,
    silent_risk,
    worth_in_silence,
)
from frostpick.training.picker.soft_labels import GivenSoftLabels
from frostpick.training.tiles import TileGeometry, TilePlan, TileSampler
from frostpick.types import Picks

GEOMETRY = TileGeometry(outputs=5, stride=4, field=31, label_radius=5.0, guard=8.0)


def an_image(yx: list[tuple[float, float]], worth: list[float] | None = None) -> TrainingImage:
    at = np.array(yx, np.float64).reshape(-1, 2)
    pixels = np.zeros((200, 200), np.float32)
    counts = None if worth is None else np.array(worth)
    grid = Sampling.identity((200, 200), 1.0)
    return TrainingImage("m", pixels, grid, at, at[:0], worth=counts)


def soft_labels() -> GivenSoftLabels:
    """Picks at (y, x) = (20, 30), (60, 90) and (150, 150), the last worth less than a tenth."""
    picks = Picks.from_xy(
        "m", [30.0, 90.0, 150.0], [20.0, 60.0, 150.0], probability=[0.9, 0.6, 0.09]
    )
    return GivenSoftLabels({"m": picks})


def unsure() -> GivenSoftLabels:
    """One pick, as likely as not: a mean of .5 of itself."""
    return GivenSoftLabels({"m": Picks.from_xy("m", [30.0], [20.0], probability=[0.5])})


def sure_labels() -> GivenSoftLabels:
    """One pick that is surely a particle."""
    return GivenSoftLabels({"m": Picks.from_xy("m", [30.0], [20.0], probability=[0.95])})


def test_labels_without_a_pick_that_counts_lie_in_silence() -> None:
    # a quarter of a diameter of 32 is 8 pixels: the second label is within, the third is not
    labels = [(20.0, 30.0), (60.0, 97.0), (60.0, 99.0), (150.0, 150.0), (180.0, 20.0)]
    found = find_silence(soft_labels(), [an_image(labels)], GEOMETRY, 32.0)
    assert found.missed[0].tolist() == [[60.0, 99.0], [150.0, 150.0], [180.0, 20.0]]
    assert found.rho == pytest.approx(3.5 / 6) and found.tells
    disc = math.pi * 25
    share = disc * 1.5 / (40000 - 2 * disc)
    assert found.prior == pytest.approx(share * 3.5 / 2.5)

    weighed = find_silence(soft_labels(), [an_image(labels, [1, 1, 0.5, 1, 0.5])], GEOMETRY, 32.0)
    assert weighed.rho == pytest.approx(2.5 / 5) and weighed.worth[0].tolist() == [0.5, 1.0, 0.5]


def test_one_or_two_labels_or_one_in_a_hundred_tell_of_no_look() -> None:
    two = [(20.0, 30.0), (60.0, 90.0), (100.0, 20.0), (180.0, 20.0)]
    assert not find_silence(soft_labels(), [an_image(two)], GEOMETRY, 32.0).tells
    # three of forty are 3.5 / 41, .085; of eighty, 3.5 / 81, .043
    for times, tells in ((37, True), (77, False)):
        many = [(180.0, 20.0), (180.0, 60.0), (180.0, 100.0), *[(20.0, 30.0)] * times]
        found = find_silence(unsure(), [an_image(many)], GEOMETRY, 32.0)
        assert found.rho == pytest.approx(3.5 / (4 + times)) and found.tells is tells


def test_many_labels_do_not_teach_what_a_sure_start_does_not_see() -> None:
    """They may be a program's: what is nothing to a model that knows the particle may be noise."""
    missed = [(180.0, 20.0 + 3 * k) for k in range(20)]
    for soft, times, tells in (
        (sure_labels(), 29, True),  # 49 in all: by hand
        (sure_labels(), 30, False),
        (unsure(), 30, True),
    ):
        image = an_image([*missed, *[(20.0, 30.0)] * times])
        assert find_silence(soft, [image], GEOMETRY, 32.0).tells is tells


def test_held_out_labels_are_not_looked_at() -> None:
    image = an_image([(180.0, 20.0), (20.0, 30.0)])
    held = TrainingImage(**{**vars(image), "held_out": Region(150, 0, 200, 200)})
    assert find_silence(soft_labels(), [held], GEOMETRY, 32.0).missed[0].tolist() == []


def test_a_teacher_that_sees_nothing_leaves_a_prior_that_can_be() -> None:
    dense = [(float(y), float(x)) for y in range(20, 190, 16) for x in range(100, 190, 16)]
    found = find_silence(soft_labels(), [an_image(dense)], GEOMETRY, 32.0)
    assert found.rho > 0.9 and found.prior <= MOST


def test_the_risk_of_silent_places_by_hand() -> None:
    silent, missed = torch.tensor([0.0, 2.0]), torch.tensor([1.0, -1.0])
    up = [math.log1p(math.exp(v)) for v in (0.0, 2.0, 1.0, -1.0)]  # towards 0
    down = [math.log1p(math.exp(-v)) for v in (1.0, -1.0)]  # towards 1
    rest = (up[0] + up[1]) / 2 - 0.1 * (up[2] + up[3]) / 2
    expected = 0.1 * (down[0] + down[1]) / 2 + rest
    assert float(silent_risk(silent, missed, 0.1)) == pytest.approx(expected)
    # weights 1 and 1/2
    mean = (up[2] + 0.5 * up[3]) / 1.5, (down[0] + 0.5 * down[1]) / 1.5
    expected = 0.1 * mean[1] + (up[0] + up[1]) / 2 - 0.1 * mean[0]
    worth = torch.tensor([1.0, 0.5])
    assert float(silent_risk(silent, missed, 0.1, worth)) == pytest.approx(expected)
    # the risk of what is no particle is never below zero
    assert float(silent_risk(torch.full((2,), -9.0), torch.full((2,), 4.0), 0.1)) == pytest.approx(
        0.1 * math.log1p(math.exp(-4.0)), abs=1e-3
    )


@pytest.mark.parametrize("given", [3, 15, 200])
def test_a_missed_look_is_learned_whatever_the_number_of_labels(given: int) -> None:
    """One number for the look, 2 % of the silent places: its probability comes to 1."""
    logit = torch.zeros(1, requires_grad=True)
    descent = torch.optim.Adam([logit], lr=0.1)
    for _ in range(400):
        silent = torch.cat([logit.expand(2), torch.full((98,), -6.0)])
        weight = given / (given + 60)
        loss = weight * torch.nn.functional.softplus(-logit).mean()
        loss = loss + (1 - weight) * silent_risk(silent, logit.expand(4), 0.02)
        descent.zero_grad()
        loss.backward()
        descent.step()
    assert float(torch.sigmoid(logit.detach())) > 0.97


def test_picks_in_silence_come_to_as_many_as_are_missed() -> None:
    logit = np.array([3.0, 2.0, -1.0, -2.0, -3.0, -4.0])
    worth = np.array([0.9, 0.6, 0.0, 0.05, 0.0, 0.0])
    # (.9 + .6) rho / (1 - rho) with rho = .4 is 1
    found = worth_in_silence(logit, worth, 0.4, 1.5)
    assert found[:2].tolist() == [0.9, 0.6] and found[2:].sum() == pytest.approx(1.0, abs=1e-4)
    odds = np.log(found[2:] / (1 - found[2:]))
    assert np.diff(odds) == pytest.approx([-1.5] * 3)
    # more than there are picks: nothing can be said
    assert worth_in_silence(logit, worth, 0.9, 1.5) is worth


def test_silent_places_are_no_targets_of_zero() -> None:
    labels = [(20.0, 30.0), (60.0, 90.0), (100.0, 100.0), (108.0, 100.0), (180.0, 20.0)]
    image = an_image(labels)
    soft = soft_labels()
    silence = find_silence(soft, [image], GEOMETRY, 32.0)
    anchor = Distillation(soft, [image], GEOMETRY, label_weight=0.2, silence=silence)
    assert anchor.silence is silence
    logits = torch.full((2, 5, 5), -1.0)
    # a tile about a missed label, and one about a pick: a row of outputs each counts
    plans = [TilePlan(0, (100, 100), np.eye(2), by_label=True)]
    plans.append(TilePlan(0, (20, 30), np.eye(2), by_label=False))
    at = torch.zeros(2, 5, 5, dtype=torch.bool)
    at[1, 2] = True
    # outputs of the row at x = 22 .. 38: the middle three are on the pick's disc
    spoken = 3 * (0.9 * math.log1p(math.e) + 0.1 * math.log1p(1 / math.e))
    risk = silence.prior * math.log1p(math.e) + (1 - silence.prior) * math.log1p(1 / math.e)
    expected = 0.2 * 3.0 + 0.8 * (spoken + 2 * risk) / 5
    assert float(anchor.loss(torch.tensor(3.0), logits, at, plans)) == pytest.approx(expected)
    # without a missed label among the tiles silence says nothing
    alone = float(anchor.loss(torch.tensor(3.0), logits[1:], at[1:], plans[1:]))
    assert alone == pytest.approx(0.2 * 3.0 + 0.8 * spoken / 5)


def test_the_first_tile_holds_a_missed_label() -> None:
    image = an_image([(20.0, 30.0), (100.0, 100.0), (180.0, 20.0)])
    sampler = TileSampler([image], GEOMETRY, tiles=4, label_share=0.5, any_angle=1.0, seed=4)
    sampler.lead_with([np.array([[180.0, 20.0]])])
    for step in range(8):
        first = sampler.plan(step)[0]
        assert first.by_label and np.abs(np.array(first.centre) - (180, 20)).max() <= 0.7 * 8 + 1
    sampler.lead_with([np.zeros((0, 2))])
    assert len({sampler.plan(step)[0].centre[0] // 60 for step in range(8)}) > 1
