"""Fine-tuning is held near its start."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_images import draw_discs, noise

from frostpick.errors import ConfigError
from frostpick.models.card import CalibrationSpec
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model
from frostpick.picking.peaks import Peaks
from frostpick.sampling import Sampling
from frostpick.settings import TrainSettings, resolve
from frostpick.training.examples import TrainingImage
from frostpick.training.picker.distillation import Distillation
from frostpick.training.picker.soft_labels import GivenSoftLabels, ModelSoftLabels
from frostpick.training.tiles import TileGeometry, TilePlan
from frostpick.types import Picks


def a_micrograph() -> TrainingImage:
    """Noise with one dark, particle-like disc."""
    pixels = noise((129, 129), 3)
    draw_discs(pixels, (70, 60), 2.0, 14)
    nothing = np.zeros((0, 2))
    grid = Sampling.identity((129, 129), 1.0)
    return TrainingImage("m", pixels.astype(np.float32), grid, nothing, nothing)


Found = Callable[..., Distillation]


@pytest.fixture
def an_anchor(monkeypatch: pytest.MonkeyPatch) -> Found:
    """An anchor of sharpness 2, slope .5 and offset -.25 whose start finds what the test says."""

    def make(
        places: list[tuple[float, float]],
        logits: list[float],
        *,
        given: int,
        alone: bool = True,
    ) -> Distillation:
        y, x = np.array(places).T
        found = Peaks(y, x, np.array(logits))
        monkeypatch.setattr(
            "frostpick.training.picker.soft_labels.peaks_in", lambda *_, **__: found
        )
        start = load_model("blob")
        calibration = CalibrationSpec(slope=0.5, offset=-0.25)
        card = start.card.model_copy(update={"calibration": calibration})
        doubted = PickingModel(card, start.network)
        soft = ModelSoftLabels(doubted, 2.0, torch.device("cpu"), alone=alone)
        geometry = TileGeometry(outputs=5, stride=4, field=31, label_radius=5.0, guard=8.0)
        return Distillation(soft, [a_micrograph()], geometry, label_weight=given / (given + 60))

    return make


def test_weights_and_targets_by_hand(an_anchor: Found) -> None:
    anchor = an_anchor([(20.0, 30.0), (60.0, 90.0)], [0.0, 2.0], given=20)
    plans = [TilePlan(0, (20, 30), np.eye(2), by_label=False)]
    # outputs at 12, 16, 20, 24, 28 times 22 .. 38; the disc of radius 5 holds a plus of five
    # with the pick's worth, 1 / (1 + e^(2 * .25)); the other pick is far away
    worth = 1 / (1 + math.exp(0.5))
    target = np.zeros((5, 5))
    target[1:4, 2] = target[2, 1:4] = worth
    assert anchor.targets(plans)[0] == pytest.approx(target)
    logits = torch.zeros(1, 5, 5)
    logits[0, 2, 2] = 1.0
    at = torch.zeros(1, 5, 5, dtype=torch.bool)
    at[0, 2, 2:4] = at[0, 0, 0] = True  # of worth, worth and 0
    p = 0.7310585786300049
    each = [
        -worth * math.log(p) - (1 - worth) * math.log(1 - p),
        math.log(2.0),
        math.log(2.0),
    ]
    expected = 0.25 * 3.0 + 0.75 * sum(each) / 3
    assert float(anchor.loss(torch.tensor(3.0), logits, at, plans)) == pytest.approx(expected)


def test_turned_tiles_have_turned_targets(an_anchor: Found) -> None:
    anchor = an_anchor([(26.0, 30.0)], [4.0], given=0)
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])  # tile (0, 1) lies at image (-1, 0)
    target = anchor.targets([TilePlan(0, (20, 30), quarter, by_label=False)])[0]
    # the pick is 6 rows below the centre: 6 columns to the left of the tile's
    assert target[2].argmax() in (0, 1) and target[2, 0] > 0.9
    assert not target[2, 2:].any() and not target[0].any() and not target[4].any()


def test_a_micrograph_that_seems_empty_has_soft_labels_of_nothing(an_anchor: Found) -> None:
    doubtful = an_anchor([(20.0, 30.0), (60.0, 90.0)], [0.4, -1.5], given=0)
    assert doubtful.soft.on(a_micrograph())[1].max() < 0.02
    sure = an_anchor([(20.0, 30.0), (60.0, 90.0)], [9.0, 0.2], given=0)
    assert sure.soft.on(a_micrograph())[1].max() > 0.9
    # with labels a model that doubts all it finds may be wrong: sigmoid of 2 (.5 * .4 - .25)
    labelled = an_anchor([(20.0, 30.0), (60.0, 90.0)], [0.4, -1.5], given=20, alone=False)
    assert labelled.soft.on(a_micrograph())[1].max() == pytest.approx(1 / (1 + math.exp(0.1)))


def test_without_unlabelled_outputs_the_labels_decide(an_anchor: Found) -> None:
    anchor = an_anchor([(20.0, 30.0)], [0.0], given=20)
    none = torch.zeros(1, 5, 5, dtype=torch.bool)
    plans = [TilePlan(0, (20, 30), np.eye(2), by_label=False)]
    assert float(anchor.loss(torch.tensor(3.0), torch.zeros(1, 5, 5), none, plans)) == 3.0


def test_judged_picks_are_taken_at_their_word() -> None:
    # working pixels 2 micrograph pixels apart, the first over micrograph pixel (3, 1)
    grid = Sampling((129, 129), (2.0, 2.0), (3.0, 1.0), (2.0, 2.0))
    image = replace(a_micrograph(), sampling=grid, particles_yx=np.array([[40.0, 50.0]]))
    judged = Picks.from_xy("m", [61.0, 41.0], [43.0, 103.0], probability=[0.25, 1.0])
    soft = GivenSoftLabels({"m": judged})
    yx, worth = soft.on(image)
    assert yx.tolist() == [[20.0, 30.0], [50.0, 20.0]] and worth.tolist() == [0.25, 1.0]
    # another's picks: 3 and 9 from a judged one, on the label; a quarter of a diameter is 8
    peaks = Peaks(
        np.array([23.0, 50.0, 41.0]), np.array([30.0, 29.0, 50.0]), np.array([1.0, 2.0, 3.0])
    )
    assert soft.worth_of(peaks, image, 32.0).tolist() == [0.25, 0.0, 1.0]
    # the tile lies around (50, 20); on another micrograph there is nothing
    plan = TilePlan(0, (50, 20), np.eye(2), by_label=False)
    geometry = TileGeometry(outputs=5, stride=4, field=31, label_radius=5.0, guard=8.0)
    for one, most in ((image, 1.0), (replace(image, micrograph_id="other"), 0.0)):
        anchor = Distillation(soft, [one], geometry, label_weight=0.0)
        assert anchor.targets([plan]).max() == most


def test_the_start_is_asked_as_a_picking_job_would() -> None:
    start = load_model("general")
    image = a_micrograph()
    yx, worth = ModelSoftLabels(start, 1.0, torch.device("cpu")).on(image)
    half = start.network.receptive_field // 2
    whole = np.pad(image.pixels, half, mode="reflect")
    logits = start.network(torch.from_numpy(whole)[None, None])
    best = np.array(divmod(int(logits[0, 0].argmax()), logits.shape[-1])) * 4.0
    nearest = np.hypot(*(yx - best).T).argmin()
    assert np.hypot(*(yx[nearest] - best)) < 8.0
    assert worth[nearest] == worth.max()


def test_worth_of_anothers_picks_by_hand(an_anchor: Found) -> None:
    soft = an_anchor([(20.0, 30.0), (60.0, 90.0)], [9.0, 2.0], given=0).soft
    image = replace(a_micrograph(), particles_yx=np.array([[100.0, 40.0]]))
    # 8 pixels reach at 32 a diameter: on the first pick, beside the second, out of its reach,
    # on the label, and nowhere
    at = np.array([(20.0, 30.0), (60.0, 97.0), (60.0, 99.0), (103.0, 44.0), (120.0, 120.0)])
    found = soft.worth_of(Peaks(at[:, 0], at[:, 1], np.zeros(5)), image, 32.0)
    second = 1 / (1 + math.exp(-2 * (0.5 * 2.0 - 0.25)))
    # a micrograph with a sure particle is not empty: the second pick keeps its own worth
    assert found == pytest.approx([1.0, second, 0.0, 1.0, 0.0], abs=0.02)


def test_a_named_network_starts_from_nothing() -> None:
    assert TrainSettings().start_model == "general"
    assert TrainSettings(network="conv31").start_model == "none"
    assert resolve(TrainSettings, ("command line", {"network": "conv31"})).start_model == "none"
    with pytest.raises(ConfigError, match="starts from nothing, not from general"):
        resolve(TrainSettings, ("command line", {"network": "conv31", "start_model": "general"}))
