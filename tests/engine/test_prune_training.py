"""Fitting a pruner: few labels, positives alone, resume, and the pretraining recipe."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_images import spots_on_noise, write_mrc
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.ndimage import map_coordinates
from tiny_pruner import SIDE, disc_boxes, pruner_card, tiny_pruner

from frostpick.errors import InputError, JobStopped
from frostpick.models.pruner.box_network import CLASSES
from frostpick.models.pruner.model import Pruner
from frostpick.models.pruner.registry import build_box_network
from frostpick.pretraining.pruner import pretrain as recipe_module
from frostpick.pretraining.pruner.boxes import Drawing, simulated_boxes
from frostpick.pretraining.pruner.pretrain import PretrainRecipe, labelled_boxes, pretrain_pruner
from frostpick.runtime.reporter import SilentReporter
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.training.pruner.augment import BoxAugmentation, augment_boxes
from frostpick.training.pruner.losses import LossWeights, class_loss
from frostpick.training.pruner.train import BoxLabels, TuneRecipe, raw_scores, tune_pruner
from frostpick.training.pruner.training_loop import Fit, FitSchedule

pytestmark = pytest.mark.usefixtures("one_thread")


def untrained():
    card = pruner_card()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = build_box_network(card.network.name, card.network.arguments)
    return Pruner.build(card, network.state_dict())


def labels(count, seed):
    boxes, classes = disc_boxes(count, seed, SIDE)
    good = (classes == 0).numpy()
    return BoxLabels(boxes.data, good, np.arange(count) // 4)


QUICK = TuneRecipe(steps=30, steps_per_label=0.0, batch=24, rate=5e-3, anchor=0.0, folds=3)


def test_few_labels_teach_what_the_start_does_not_know():
    """Light discs instead of dark ones: the start is wrong about nearly all of them."""
    start, few, test = tiny_pruner(), labels(48, 1), labels(60, 2)
    light, unseen = replace(few, boxes=-few.boxes), replace(test, boxes=-test.boxes)
    before = (raw_scores(start.network, unseen.boxes) > 0) == unseen.good
    tuned = tune_pruner(start, light, SilentReporter(), recipe=QUICK, seed=4)
    after = (raw_scores(tuned.pruner.network, unseen.boxes) > 0) == unseen.good
    assert before.mean() < 0.75 and after.mean() > 0.9
    assert len(tuned.held_out) == 48 and np.array_equal(tuned.good, light.good)
    assert tuned.summary["held_out_accuracy"] > 0.8
    assert tuned.pruner.card.parent == start.digest
    again = tune_pruner(start, light, SilentReporter(), recipe=QUICK, seed=4)
    assert again.pruner.digest == tuned.pruner.digest


def test_bad_labels_of_one_micrograph_are_held_out_in_turn_too():
    """Good ones on nine micrographs, bad ones on a tenth; none may go without a score."""
    start, few = tiny_pruner(), labels(60, 1)
    group = np.where(few.good, np.arange(60) % 9, 9)
    recipe = replace(QUICK, steps=2, rate=1e-6, fewest=4)
    tuned = tune_pruner(start, replace(few, group=group), SilentReporter(), recipe=recipe)
    known = raw_scores(start.network, few.boxes)  # hardly changed by two tiny steps
    spec = tuned.pruner.card.calibration
    assert np.allclose(tuned.held_out, spec.slope * known + spec.offset, atol=0.05)


def test_positives_and_unlabelled_boxes_are_enough():
    start, few, rest, test = untrained(), labels(60, 1), labels(80, 6), labels(60, 2)
    only_good = few.keep(few.good)
    tuned = tune_pruner(
        start,
        only_good,
        SilentReporter(),
        unlabelled=rest.boxes,
        prior=float(rest.good.mean()),
        recipe=replace(QUICK, steps=60),
    )
    raw = raw_scores(tuned.pruner.network, test.boxes)
    # areas under the ROC by all pairs; 0.5 is what an untrained network has
    area = (raw[test.good][:, None] > raw[~test.good][None, :]).mean()
    assert area > 0.9
    with pytest.raises(ValueError, match="good and bad boxes are needed"):
        tune_pruner(start, only_good, SilentReporter(), recipe=QUICK)


class StopsAfter(SilentReporter):
    def __init__(self, steps):
        super().__init__()
        self._left = steps

    def check(self):
        self._left -= 1
        if self._left < 0:
            raise JobStopped("enough")


def test_interrupted_fit_equals_an_uninterrupted_one(tmp_path):
    boxes, classes = disc_boxes(24, 3, SIDE)
    how = BoxAugmentation()

    def fit(folder):
        network = untrained().network.requires_grad_(True)

        def draw(generator):
            at = torch.randint(len(boxes), (8,), generator=generator)
            return augment_boxes(boxes.data[at], how, generator), classes[at]

        schedule = FitSchedule(8, save_every=3)
        return Fit(
            network,
            draw,
            lambda logits, y: class_loss(logits, y, LossWeights()),
            schedule,
            folder=folder,
            key="k",
        )

    whole = fit(tmp_path / "whole")
    whole.run(SilentReporter())
    first = fit(tmp_path / "parts")
    with pytest.raises(JobStopped):
        first.run(StopsAfter(5))
    second = fit(tmp_path / "parts")
    second.run(SilentReporter())
    assert second.losses == whole.losses
    ours, theirs = second.network.state_dict(), whole.network.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


def test_a_fit_that_another_version_left_unfinished_goes_on(tmp_path):
    """The state's file is written here, name by name, after steps that are taken here."""
    boxes, classes = disc_boxes(24, 3, SIDE)
    schedule = FitSchedule(6, rate=2e-3, decay=1e-3)

    def draw(generator):
        at = torch.randint(len(boxes), (8,), generator=generator)
        return boxes.data[at], classes[at]

    def loss(logits, y):
        return class_loss(logits, y, LossWeights())

    def fit(folder):
        network = untrained().network.requires_grad_(True)
        return Fit(network, draw, loss, schedule, seed=2, folder=folder, key="k")

    whole = fit(tmp_path / "whole")
    whole.run(SilentReporter())
    network = untrained().network.requires_grad_(True).train()
    network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    losses = []
    # warmed up in one step, then half a cosine over five
    for step, share in enumerate((1.0, 1.0, 0.5 + 0.5 * math.cos(math.pi / 5))):
        optimiser.param_groups[0]["lr"] = 2e-3 * share
        data, y = draw(torch.Generator().manual_seed(2 * 1_000_003 + step))
        value = loss(network(data[:, None].contiguous(memory_format=torch.channels_last)), y)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        losses.append(float(value.detach()))
    tensors = {f"network.{k}": v.contiguous() for k, v in network.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        for name in ("step", "exp_avg", "exp_avg_sq"):
            tensors[f"optimiser.{index}.{name}"] = moments[name].contiguous()
    progress = json.dumps({"step": 3, "losses": losses})
    folder = tmp_path / "unfinished"
    folder.mkdir()
    save_file(tensors, folder / "training.safetensors", {"key": "k", "progress": progress})
    rest = fit(folder)
    rest.run(StopsAfter(3))
    assert rest.losses == whole.losses and rest.losses[:3] == losses
    ours, theirs = rest.network.state_dict(), whole.network.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_stopped_fit_keeps_its_last_step(tmp_path, at):
    """Between two states that are due, too; and a finished fit keeps none."""
    boxes, classes = disc_boxes(24, 3, SIDE)

    def fit(folder):
        return Fit(
            untrained().network.requires_grad_(True),
            lambda generator: (boxes.data[:8], classes[:8]),
            lambda logits, y: class_loss(logits, y, LossWeights()),
            FitSchedule(5, save_every=100),
            folder=folder,
            key="k",
        )

    with pytest.raises(JobStopped):
        fit(tmp_path).run(StopsAfter(at))
    with safe_open(tmp_path / "training.safetensors", framework="pt") as found:
        assert json.loads(found.metadata()["progress"])["step"] == at
    second = fit(tmp_path)
    second.run(StopsAfter(5 - at))
    assert len(second.losses) == 5
    fit(tmp_path / "whole").run(SilentReporter())
    assert not (tmp_path / "whole").exists()


def test_a_tuning_that_is_stopped_in_any_fit_goes_on(tmp_path, monkeypatch):
    """Three folds and a last fit of five steps each; no step is taken twice."""
    start, few = tiny_pruner(), labels(48, 1)
    recipe = replace(QUICK, steps=5)
    whole = tune_pruner(start, few, SilentReporter(), recipe=recipe, seed=4)
    taken = []
    original = Fit.step
    monkeypatch.setattr(Fit, "step", lambda fit: taken.append(fit.done) or original(fit))
    told = {"recipe": recipe, "seed": 4, "folder": tmp_path, "key": "k"}
    for steps in (3, 8, 0, 7):  # to the 3rd, 11th, 11th and 18th step
        with pytest.raises(JobStopped):
            tune_pruner(start, few, StopsAfter(steps), **told)
    again = tune_pruner(start, few, SilentReporter(), **told)
    assert taken == list(range(5)) * 4
    assert again.pruner.digest == whole.pruner.digest
    np.testing.assert_array_equal(again.held_out, whole.held_out)


def test_augmentation_turns_shifts_and_windows():
    boxes = torch.zeros(400, 16, 16)
    boxes[:, 5, 9] = 1.0
    nothing = BoxAugmentation(shift=0, windows=(0.0, 1.0), soft=(0.0, 0.0), gain=1.0)
    out = augment_boxes(boxes, nothing, torch.Generator().manual_seed(0))
    assert torch.equal(out.sum((1, 2)), torch.ones(400))
    places = {tuple(one.nonzero()[0].tolist()) for one in out}
    flips = {(5, 9), (9, 10), (10, 6), (6, 5)}
    assert places == flips | {(r, 15 - c) for r, c in flips}
    shifted = augment_boxes(boxes, replace(nothing, shift=2), torch.Generator().manual_seed(1))
    spread = {tuple(one.nonzero()[0].tolist()) for one in shifted}
    assert len(spread) > 60 and all(3 <= r <= 12 and 3 <= c <= 12 for r, c in spread)
    window = replace(nothing, windows=(1.0, 0.5))
    ones = augment_boxes(torch.ones(200, 16, 16), window, torch.Generator().manual_seed(2))
    sides = ones[:, 8].sum(1)
    assert sides.min() >= 8 and sides.max() <= 16 and len(set(sides.tolist())) > 2
    assert torch.equal(ones.sum((1, 2)), sides**2)


def test_simulated_boxes_are_what_the_truth_says():
    """Places of particle boxes are true ones, none of a junk box lies on a particle."""
    caught = {}
    original = recipe_module.simulated_boxes.__globals__["boxes_of_micrograph"]

    def watch(image, x, y, pixel, geometry, **others):
        caught["xy"] = np.column_stack([x, y])
        return original(image, x, y, pixel, geometry, **others)

    for index in range(3):
        micrograph = corpus_micrograph(3, index)
        truth = micrograph.truth
        d = micrograph.diameter_A / micrograph.pixel_size_A
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(recipe_module.simulated_boxes.__globals__, "boxes_of_micrograph", watch)
            boxes, classes = simulated_boxes(micrograph, np.random.default_rng(index))
        assert len(boxes) == len(classes) == len(caught["xy"]) > 10
        particles = np.column_stack([truth.x_px, truth.y_px])[truth.kind == "particle"]
        if not len(particles):
            continue
        gap = np.hypot(*(caught["xy"][:, None] - particles[None]).transpose(2, 0, 1)).min(1) / d
        assert (gap[classes.numpy() == 0] < 0.3).all()
        # a junk object is more than 0.5 diameters from a particle, its box jittered by 0.2
        assert (gap[classes.numpy() != 0] > 0.2).all()
        carbon = caught["xy"][classes.numpy() == CLASSES.index("carbon")]
        if len(carbon):
            on = map_coordinates(
                (micrograph.mask == 2).astype(float), carbon[:, ::-1].T, order=1, mode="nearest"
            )
            assert on.mean() > 0.6
    assert Drawing().particles == 40


def test_pretraining_goes_on_where_it_was_stopped(tmp_path):
    recipe = PretrainRecipe(
        seed=5, micrographs=3, held_out=1, units=2, steps=4, batch=16, side=SIDE
    )
    whole = pretrain_pruner(tmp_path / "a", SilentReporter(), recipe)
    with pytest.raises(JobStopped):
        pretrain_pruner(tmp_path / "b", StopsAfter(5), recipe)
    again = pretrain_pruner(tmp_path / "b", SilentReporter(), recipe)
    assert again.digest == whole.digest
    assert Pruner.load(tmp_path / "b" / "pruner").digest == whole.digest
    assert whole.side == SIDE and whole.card.trained_on["micrographs"] == 2


def test_a_small_corpus_holds_out_a_quarter():
    assert [PretrainRecipe(micrographs=n).learned for n in (2, 3, 20, 800)] == [1, 2, 15, 750]


def test_a_folder_of_labelled_boxes_is_read(tmp_path):
    image = spots_on_noise((96, 96), [(48.0, 48.0)], depth=9.0)
    for name, count in (("particle", 3), ("carbon", 2)):
        write_mrc(tmp_path / f"{name}.mrcs", np.stack([-image] * count))
    found = labelled_boxes(tmp_path, 2.0, 64.0, light=True, side=SIDE)
    assert sorted(found.classes.tolist()) == [0, 0, 0, 3, 3]
    centre = found.boxes[:, SIDE // 2 - 4 : SIDE // 2 + 4, SIDE // 2 - 4 : SIDE // 2 + 4].float()
    assert (centre.mean((1, 2)) * recipe_module.QUANTUM < -4).all()  # dark whatever the sign
    (tmp_path / "carbon.mrcs").rename(tmp_path / "kitten.mrcs")
    with pytest.raises(InputError, match="'kitten' is no class"):
        labelled_boxes(tmp_path, 2.0, 64.0, light=True)
