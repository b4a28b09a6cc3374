"""A picking network's word on a box: its logits, its part in the score, its place in the file."""

import numpy as np
import pytest
import torch
from made_images import spots_on_noise
from pruning.macs import macs_per_box
from tiny_pruner import DIAMETER_A, PIXEL_A, disc_boxes, tiny_pruner
from torch import nn

from frostpick.errors import ModelError
from frostpick.iterating.pruner_score import PrunerScore
from frostpick.models.card import CalibrationSpec, ModelCard, NetworkSpec
from frostpick.models.model_file import write_model_file
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.model import Pruner, load_pruner
from frostpick.models.pruner.picker_score import OUTPUTS, picker_logits
from frostpick.models.registry import build_network
from frostpick.models.shipped import BLOB
from frostpick.pretraining.pruner.boxes import simulated_boxes
from frostpick.pruning.box_scorer import BoxScorer
from frostpick.pruning.boxes import Boxes
from frostpick.runtime.reporter import SilentReporter
from frostpick.simulate import SimulationSettings, simulate_dataset
from frostpick.training.pruner.calibration import fit_joint_scores
from frostpick.training.pruner.train import BoxLabels, TuneRecipe, tune_pruner
from frostpick.types import sigmoid

pytestmark = pytest.mark.usefixtures("one_thread")


def picking_model(name="conv31", **changes):
    """Return an untrained network whose statistics are not those of its start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(name, {})
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.2)
                layer.running_var.uniform_(0.5, 2.0)
    card = ModelCard(network=NetworkSpec(name=name)).model_copy(update=changes)
    return PickingModel.build(card, network.state_dict())


@pytest.mark.parametrize(("name", "side"), [("conv31", 64), ("dilated", 64), ("conv63", 48)])
def test_logit_of_a_box_is_the_largest_of_single_windows_about_its_middle(name, side):
    """Every output by its own window alone; beyond the box there is ice at 0."""
    network = picking_model(name).network
    boxes = torch.randn(2, side, side, generator=torch.Generator().manual_seed(1))
    reach, wide = network.receptive_field // 2, 200
    canvas = torch.zeros(2, wide + side, wide + side)
    canvas[:, wide // 2 : wide // 2 + side, wide // 2 : wide // 2 + side] = boxes
    middle = wide // 2 + side // 2
    found = []
    for dy in range(-(OUTPUTS // 2), OUTPUTS // 2 + 1):
        for dx in range(-(OUTPUTS // 2), OUTPUTS // 2 + 1):
            y, x = middle + dy * network.stride, middle + dx * network.stride
            window = canvas[:, y - reach : y + reach + 1, x - reach : x + reach + 1]
            found.append(network(window[:, None])[:, 0, 0, 0])
    expected = torch.stack(found).amax(0)
    assert torch.stack(found).std(0).min() > 1e-3
    assert torch.allclose(picker_logits(network, boxes), expected, atol=1e-4)


def test_a_score_is_the_sum_of_both_words_over_four_turns():
    pruner, model = tiny_pruner(), picking_model()
    boxes, _ = disc_boxes(6, 3)
    joined = BoxScorer(pruner.asking(model, 0.7), rotations=4)(boxes)
    alone = [
        BoxScorer(pruner)(Boxes(torch.rot90(boxes.data, k, (1, 2)), boxes.usable)).score
        + 0.7 * picker_logits(model.network, torch.rot90(boxes.data, k, (1, 2))).numpy()
        for k in range(4)
    ]
    assert np.allclose(joined.score, np.mean(alone, 0), atol=0.03)  # bfloat16 where it is native
    assert np.allclose(joined.spread, np.std(alone, 0), atol=0.03)
    assert np.abs(joined.score - BoxScorer(pruner, rotations=4)(boxes).score).max() > 0.2
    assert np.array_equal(joined.likely, BoxScorer(pruner, rotations=4)(boxes).likely)


def test_a_pruner_and_its_picker_are_one_file(tmp_path):
    pruner, model = tiny_pruner().asking(picking_model(), 0.7), picking_model()
    pruner.save(tmp_path)
    again = load_pruner(str(tmp_path))
    boxes, _ = disc_boxes(6, 3)
    assert again.digest == pruner.digest != tiny_pruner().digest
    assert np.array_equal(BoxScorer(again)(boxes).score, BoxScorer(pruner)(boxes).score)
    assert again.card.picker.digest == model.digest and again.card.picker.weight == 0.7
    other = pruner.refitted(pruner.card, tiny_pruner().network.state_dict())
    assert other.digest == pruner.digest
    plain = pruner.card.model_copy(update={"picker": None})
    assert pruner.refitted(plain, pruner.network.state_dict()).digest == tiny_pruner().digest
    assert "picker" not in tiny_pruner().card.canonical()


def test_a_file_that_lacks_the_picker_or_names_none_is_refused(tmp_path):
    pruner = tiny_pruner().asking(picking_model(), 0.7)
    tensors = pruner.tensors()
    lost = {k: v for k, v in tensors.items() if k != "picker.head.weight"}
    assert len(lost) == len(tensors) - 1
    write_model_file(tmp_path / "a", pruner.card, lost)
    with pytest.raises(ModelError, match="do not fit network 'conv31'"):
        Pruner.load(tmp_path / "a")
    write_model_file(tmp_path / "b", tiny_pruner().card, tensors)
    with pytest.raises(ModelError, match="picking network that the card does not name"):
        Pruner.load(tmp_path / "b")


def test_a_picker_of_another_scale_or_kind_cannot_be_asked():
    with pytest.raises(ModelError, match="16 px a diameter cannot be asked"):
        tiny_pruner().asking(picking_model(px_per_diameter=16.0), 1.0)
    with pytest.raises(ModelError, match="kind 'exemplar'"):
        tiny_pruner().asking(picking_model(kind="exemplar"), 1.0)


def test_weights_of_two_words_are_those_that_made_the_labels():
    rng = np.random.default_rng(0)
    raw, picker = rng.normal(0, 2, 20_000), rng.normal(0, 3, 20_000)
    good = rng.random(20_000) < sigmoid(1.3 * raw + 0.6 * picker - 0.5)
    share = good.mean()
    found, weight = fit_joint_scores(raw, picker, good, fitted_on="a test")
    assert found.slope == pytest.approx(1.3, abs=0.05) and weight == pytest.approx(0.6, abs=0.03)
    # good and bad weigh the same: the offset is that of even odds
    assert found.offset == pytest.approx(-0.5 - np.log(share / (1 - share)), abs=0.06)
    assert found.fitted_on == "a test"
    with pytest.raises(ValueError, match="one kind only"):
        fit_joint_scores(raw, picker, np.ones(20_000, bool), fitted_on="a test")


def test_labels_of_both_kinds_make_the_picker_needless():
    """Eight of each kind drop it, fewer and good ones alone keep it as it was."""
    start, recipe = (
        tiny_pruner().asking(picking_model(), 0.7),
        TuneRecipe(steps=1, batch=4, folds=2),
    )
    boxes, classes = disc_boxes(60, 3)
    good = (classes == 0).numpy()
    pools = np.flatnonzero(good), np.flatnonzero(~good)

    def tuned(ups, downs, **others):
        at = np.concatenate([pools[0][:ups], pools[1][:downs]])
        labels = BoxLabels(boxes.data, good, np.arange(60)).keep(at)
        return tune_pruner(start, labels, SilentReporter(), recipe=recipe, **others).pruner

    alone = tuned(8, 8)
    assert alone.picker is None and alone.card.picker is None
    assert not any(name.startswith("picker.") for name in alone.tensors())
    for kept in (tuned(8, 7), tuned(9, 0, unlabelled=boxes.data, prior=0.4)):
        assert kept.card.picker == start.card.picker
        assert torch.equal(kept.picker.head.weight, start.picker.head.weight)


def test_a_second_opinion_asks_the_picker_too():
    """The pruner's own network says next to nothing: the blob filter tells discs from ice."""
    pruner = tiny_pruner()
    dumb = CalibrationSpec(slope=1e-6, offset=BLOB.calibration.offset)
    card = pruner.card.model_copy(update={"calibration": dumb})
    pruner = pruner.refitted(card, pruner.network.state_dict())
    pruner = pruner.asking(PickingModel.build(BLOB, {}), BLOB.calibration.slope)
    places = [(60.0, 70.0), (150.0, 60.0), (110.0, 140.0)]
    image = spots_on_noise((200, 220), places)
    x, y = np.array([*places, (105.0, 75.0), (60.0, 150.0)]).T
    opinion = PrunerScore(pruner, DIAMETER_A, torch.device("cpu"))
    found = opinion(image, x, y, PIXEL_A, light=False)
    assert (found[:3] > 0.5).all() and (found[3:] < 0.5).all()
    assert np.allclose(opinion(-image, x, y, PIXEL_A, light=True), found, atol=1e-6)


def test_shipped_pruner_asks_a_picker_within_a_tenth_of_a_gmac():
    pruner = load_pruner("pruner")
    cost = macs_per_box(pruner.network, pruner.side)
    cost += macs_per_box(pruner.picker, pruner.picker.input_side(OUTPUTS))
    assert cost <= 100_000_000
    assert 0.1 < pruner.card.picker.weight < 2


def test_the_picker_makes_scores_of_unseen_micrographs_better():
    """Mean cross-entropy over boxes of micrographs that neither network was trained on."""
    pruner = load_pruner("pruner")
    none = pruner.card.model_copy(update={"picker": None})
    alone = pruner.refitted(none, pruner.network.state_dict())
    parts = []
    for index, family in enumerate(("compact", "hollow", "elongated", "lobed", "membrane")):
        symmetry = "C2" if family == "membrane" else "any"
        settings = SimulationSettings(
            micrographs=1,
            family=family,
            symmetry=symmetry,
            seed=41,
            size=640,
            particles_per_micrograph=40,
        )
        for micrograph in simulate_dataset(settings):
            parts.append(simulated_boxes(micrograph, np.random.default_rng(index)))
    boxes = torch.cat([p[0] for p in parts])
    good = torch.cat([p[1] for p in parts]).numpy() == 0
    seen = Boxes(boxes, torch.ones(len(boxes), dtype=torch.bool))
    losses = []
    for one in (alone, pruner):
        score = BoxScorer(one)(seen).score
        each = np.logaddexp(0, np.where(good, -score, score))
        losses.append((each[good].mean() + each[~good].mean()) / 2)
    assert losses[1] < 0.95 * losses[0]
