"""A tiny training learns, resumes exactly, and refuses what it cannot use."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_images import draw_discs, places_apart, write_mrc
from safetensors import safe_open

from frostpick.errors import ConfigError, InputError, JobStopped, LabelError
from frostpick.evaluation.evaluate import evaluate
from frostpick.models.card import PreprocessSpec
from frostpick.models.picking_model import PickingModel
from frostpick.picking.held_out import ENTRY
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import plan_picking
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import PickSettings, TrainSettings
from frostpick.training import read_images
from frostpick.training.digests import picks_digest
from frostpick.training.picker import setup, training_loop
from frostpick.training.picker import train as training
from frostpick.training.picker.distillation import Distillation
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.soft_labels import ModelSoftLabels
from frostpick.training.picker.train import TrainingResult, train_picker
from frostpick.types import Labels, LocalFile, Micrograph, Picks

DIAMETER_PX, PIXEL_A, SIDE = 16.0, 4.0, (180, 200)
TINY = Recipe(units=4, epoch_steps=20, epochs=5, few_epochs=5, tiles=4, outputs=9, rate=1e-2)

#: To run through, not to learn.
SHORT = Recipe(
    units=2,
    epoch_steps=5,
    epochs=2,
    few_epochs=2,
    tuning_epochs=2,
    fewest_tuning_held=30,
    tiles=4,
    outputs=5,
)


def image(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark discs of 12 pixels in noise, and their centres (x, y), none near another."""
    rng = np.random.default_rng(seed)
    centres = places_apart(rng, SIDE, 18, 12, 22)
    data = rng.normal(0, 1, SIDE)
    draw_discs(data, centres, 1.2, 6)
    return data.astype(np.float32), centres


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Micrograph], dict[str, Labels]]:
    folder = tmp_path_factory.mktemp("micrographs")
    micrographs, labels = [], {}
    for k in range(6):
        pixels, xy = image(k)
        path = write_mrc(folder / f"m{k}.mrc", pixels)
        micrographs.append(Micrograph(path.name, LocalFile(path), PIXEL_A))
        if k < 5:
            labels[path.name] = Labels.from_xy(path.name, xy[:9, 0], xy[:9, 1])
    return micrographs, labels


def settings(**others: object) -> TrainSettings:
    values = {"diameter": DIAMETER_PX * PIXEL_A, "device": "cpu", "threads": 1, **others}
    return TrainSettings.model_validate(values)


def train(
    data: tuple[list[Micrograph], Mapping[str, Labels]],
    spool: Path,
    reporter: SilentReporter | None = None,
    *,
    start: PickingModel | None = None,
    recipe: Recipe = TINY,
    soft: Mapping[str, Picks] | None = None,
    **others: object,
) -> TrainingResult:
    return train_picker(
        data[0],
        data[1],
        settings(**others),
        start=start,
        spool=spool,
        reporter=reporter or SilentReporter(),
        recipe=recipe,
        soft=soft,
    )


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class StopAt(SilentReporter):
    """Asks to stop at the n-th check of the training stage."""

    def __init__(self, step: int, kind: type[BaseException] = JobStopped) -> None:
        super().__init__()
        self.step, self.kind, self.training, self.steps = step, kind, False, 0

    def stage(self, name: str, total: int) -> None:
        self.training = name == "training"

    def check(self) -> None:
        if self.training:
            self.steps += 1
            if self.steps > self.step:
                raise self.kind("stopped")


@pytest.fixture(scope="module")
def trained(
    data: tuple[list[Micrograph], dict[str, Labels]], tmp_path_factory: pytest.TempPathFactory
) -> TrainingResult:
    return train(data, tmp_path_factory.mktemp("spool"))


def test_learns(trained: TrainingResult) -> None:
    truth, picks = {}, {}
    plan = plan_picking(trained.model, PickSettings(device="cpu", threads=1))
    for seed in (100, 101, 102):
        pixels, xy = image(seed)
        truth[str(seed)] = Labels.from_xy(str(seed), xy[:, 0], xy[:, 1])
        picks[str(seed)] = pick_image(trained.model, pixels, PIXEL_A, plan, str(seed)).picks
    result = evaluate(picks, truth, DIAMETER_PX, {name: SIDE for name in truth})
    assert result.ap > 0.9


def test_summary_card_and_curve(trained: TrainingResult) -> None:
    summary, card = trained.summary, trained.model.card
    assert summary["labels"] == 45 and summary["split"] == "micrographs"
    assert summary["expected_per_micrograph"] == pytest.approx(18, rel=0.3)
    assert card.diameter_A == 64 and card.network.name == "resnet8" and card.parent is None
    assert card.calibration.fitted_on == "training labels"
    assert [row["step"] for row in trained.curve] == [20, 40, 60, 80, 100]
    assert sum(row["chosen"] for row in trained.curve) == 1
    assert "/" not in card.canonical().replace("BSD-3", "")
    # of 45 labels on 5 micrographs the 9 of one are held out, and the card keeps their scores
    recall, entry = summary["recall"], card.trained_on[ENTRY]
    assert recall["labels"] == entry["labels"] == 9
    assert recall["found"] == sum(score >= summary["threshold"] - 1e-3 for score in entry["scores"])
    assert recall["found"] >= 7 and recall["low"] < recall["found"] / 9 <= recall["high"]


@pytest.mark.parametrize("steps", [(1,), (45, 30), (99,)])
def test_a_stopped_training_gives_the_same_model(
    data: tuple[list[Micrograph], dict[str, Labels]],
    trained: TrainingResult,
    tmp_path: Path,
    steps: tuple[int, ...],
) -> None:
    for step in steps:
        with pytest.raises(JobStopped):
            train(data, tmp_path, StopAt(step))
    again = train(data, tmp_path)
    assert again.model.digest == trained.model.digest
    assert again.curve == trained.curve


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_a_killed_training_gives_the_same_model(
    data: tuple[list[Micrograph], dict[str, Labels]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: float,
) -> None:
    whole = train(data, tmp_path / "whole", recipe=SHORT)
    monkeypatch.setattr(training_loop, "SAVE_EVERY_S", every)
    for step in (3, 4):  # a kill saves nothing: only what was saved before is there
        with pytest.raises(Killed):
            train(data, tmp_path / "killed", StopAt(step, Killed), recipe=SHORT)
    assert (tmp_path / "killed" / "training.safetensors").exists() == (every == 0.0)
    again = train(data, tmp_path / "killed", recipe=SHORT)
    assert again.model.digest == whole.model.digest


def test_the_names_in_the_state_of_an_unfinished_training_stay(
    data: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path
) -> None:
    """A training that another version left unfinished must go on: no name may change."""
    fields = ["done", "expected", "curve", "chosen_step", "chosen_metric", "losses"]
    moments = ("step", "exp_avg", "exp_avg_sq")

    def state() -> tuple[set[str], dict[str, Any]]:
        with safe_open(tmp_path / "training.safetensors", framework="pt") as found:
            about = found.metadata()
            assert set(about) == {"key", "progress"}
            return set(found.keys()), json.loads(about["progress"])

    with pytest.raises(JobStopped):
        train(data, tmp_path, StopAt(7), recipe=SHORT)
    names, progress = state()
    network = train(data, tmp_path / "whole", recipe=SHORT).model.network
    of_network = {f"{part}.{k}" for part in ("network", "average") for k in network.state_dict()}
    count = len(list(network.parameters()))
    of_optimiser = {f"optimiser.{k}.{name}" for k in range(count) for name in moments}
    assert names == of_network | of_optimiser
    assert list(progress) == fields
    assert progress["done"] == 7 and [row["step"] for row in progress["curve"]] == [5]
    assert len(progress["losses"]) == 2  # since the measurement after step 5
    train(data, tmp_path, recipe=SHORT)
    names, progress = state()
    # the last step is past .6 of all steps: its network may be, and is, the one that is kept
    assert names == of_network | of_optimiser | {f"best.{k}" for k in network.state_dict()}
    assert list(progress) == fields and progress["chosen_step"] == progress["done"] == 10


def test_images_in_files_train_like_images_in_memory(
    data: tuple[list[Micrograph], dict[str, Labels]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_memory = train(data, tmp_path / "a", recipe=SHORT)
    monkeypatch.setattr(read_images, "IN_MEMORY", 0)
    in_files = train(data, tmp_path / "b", recipe=SHORT)
    assert in_files.model.digest == in_memory.model.digest
    assert not (tmp_path / "b" / "working").exists()


def test_another_training_in_the_spool_is_refused(
    data: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path
) -> None:
    with pytest.raises(JobStopped):
        train(data, tmp_path, StopAt(2))
    with pytest.raises(ConfigError, match="--restart"):
        train(data, tmp_path, seed=1)
    with pytest.raises(JobStopped):
        train(data, tmp_path, StopAt(2), seed=1, restart=True)
    (tmp_path / "training.safetensors").write_bytes(b"half a fi")
    with pytest.raises(ConfigError, match="damaged"):
        train(data, tmp_path, seed=1)


def test_one_bad_micrograph_is_listed_and_all_bad_is_an_error(
    data: tuple[list[Micrograph], dict[str, Labels]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = tmp_path / "bad.mrc"
    bad.write_bytes(b"no image")
    broken = Micrograph("bad.mrc", LocalFile(bad), PIXEL_A)
    with caplog.at_level(logging.WARNING):
        result = train(([broken, *data[0]], data[1]), tmp_path / "a", recipe=SHORT)
    assert list(result.summary["failed"]) == ["bad.mrc"]
    assert "bad.mrc" in caplog.text
    labels = {"bad.mrc": Labels.from_xy("bad.mrc", [5.0], [5.0])}
    with pytest.raises(InputError, match="none of the 1 micrographs"):
        train(([broken], labels), tmp_path / "b")


def test_few_labels_on_one_micrograph(
    data: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path
) -> None:
    name = data[0][0].id
    one = {name: data[1][name]}
    result = train((data[0], one), tmp_path, recipe=SHORT)
    assert result.summary["split"] == "none"
    assert "fixed number of steps" in result.summary["split_text"]
    assert "recall" not in result.summary and ENTRY not in result.model.card.trained_on
    assert result.summary["background_micrographs"] == 5
    assert result.model.card.calibration.fitted_on == "training labels"


def test_labels_that_cannot_be_used(
    data: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path
) -> None:
    name = data[0][0].id
    with pytest.raises(LabelError, match="none of the 6 micrographs"):
        train((data[0], {}), tmp_path)
    outside = {name: Labels.from_xy(name, [900.0, -40.0], [20.0, 20.0])}
    with pytest.raises(LabelError, match="2 lie outside"):
        train((data[0], outside), tmp_path)


def test_expected_below_the_labels(
    data: tuple[list[Micrograph], dict[str, Labels]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ConfigError, match="less than the 45 labels"):
        train(data, tmp_path, expected_per_micrograph=5)
    with caplog.at_level(logging.WARNING), pytest.raises(JobStopped):
        train(data, tmp_path, StopAt(0), expected_per_micrograph=8)
    assert "below the 9" in caplog.text


def test_no_diameter(data: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--diameter"):
        train(data, tmp_path, diameter=None)


def test_every_pass_is_taught_by_the_one_before(
    data: tuple[list[Micrograph], dict[str, Labels]],
    trained: TrainingResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taught: list[str] = []

    class Known(ModelSoftLabels):
        def __init__(self, model: PickingModel, *others: Any, **more: Any) -> None:
            super().__init__(model, *others, **more)
            self.of = model.digest

    class Watched(Distillation):
        def __init__(self, soft: Known, *others: Any, **more: Any) -> None:
            taught.append(soft.of)
            super().__init__(soft, *others, **more)

    monkeypatch.setattr(training, "ModelSoftLabels", Known)
    monkeypatch.setattr(setup, "Distillation", Watched)
    recipe = replace(SHORT, passes=1)
    once = train(data, tmp_path / "once", start=trained.model, recipe=recipe)
    recipe = replace(SHORT, passes=2)
    twice = train(data, tmp_path / "twice", start=trained.model, recipe=recipe)
    assert taught == [trained.model.digest, trained.model.digest, once.model.digest]
    assert [row["step"] for row in twice.curve] == [5, 10, 15, 20]
    assert [row["chosen"] for row in twice.curve][:2] == [0, 0]
    assert twice.summary["passes"] == 2 and twice.summary["steps"] == 20
    assert twice.summary["chosen_step"] in (15, 20)
    assert twice.model.card.parent == trained.model.digest


def test_verified_picks_teach_a_new_network_for_longer(
    data: tuple[list[Micrograph], dict[str, Labels]], trained: TrainingResult, tmp_path: Path
) -> None:
    truth = {
        name: Picks.from_xy(name, one.x_px, one.y_px, probability=np.ones(len(one)))
        for name, one in data[1].items()
    }
    new = train(data, tmp_path / "new", recipe=SHORT, soft=truth)
    assert new.summary["steps"] == 2 * 2 * 5
    tuned = train(data, tmp_path / "tuned", start=trained.model, recipe=SHORT, soft=truth)
    assert tuned.summary["steps"] == 2 * 5 * SHORT.passes
    asked = train(data, tmp_path / "asked", recipe=SHORT, soft=truth, steps=5)
    assert asked.summary["steps"] == 5


def test_what_judged_picks_are_worth_is_in_the_digest() -> None:
    one = Picks.from_xy("m", [1.0, 2.0], [3.0, 4.0], probability=[0.5, 1.0])
    digest = picks_digest({"m": one})
    assert digest == picks_digest({"m": replace(one, score=one.score + 1)})
    assert digest != picks_digest({"m": replace(one, probability=np.array([0.5, 0.9]))})
    assert digest != picks_digest({"m": one, "empty": one.keep(np.zeros(2, bool))})


@pytest.mark.parametrize("stop", [3, 12])
def test_a_training_stopped_in_any_pass_gives_the_same_model(
    data: tuple[list[Micrograph], dict[str, Labels]],
    trained: TrainingResult,
    tmp_path: Path,
    stop: int,
) -> None:
    recipe = replace(SHORT, passes=2)
    whole = train(data, tmp_path / "whole", start=trained.model, recipe=recipe)
    with pytest.raises(JobStopped):
        train(data, tmp_path / "part", StopAt(stop), start=trained.model, recipe=recipe)
    again = train(data, tmp_path / "part", start=trained.model, recipe=recipe)
    assert again.model.digest == whole.model.digest and again.curve == whole.curve
    other = train(data, tmp_path / "part", start=trained.model, recipe=recipe, seed=1)
    assert other.model.digest != whole.model.digest  # what is finished is not in the way
    restarted = train(data, tmp_path / "part", start=trained.model, recipe=recipe, restart=True)
    assert restarted.model.digest == whole.model.digest


def test_without_labels_a_model_learns_from_its_own_picks(
    data: tuple[list[Micrograph], dict[str, Labels]], trained: TrainingResult, tmp_path: Path
) -> None:
    adapted = train((data[0], {}), tmp_path, start=trained.model, recipe=replace(SHORT, passes=2))
    assert adapted.summary["labels"] == 0 and adapted.summary["background_micrographs"] == 6
    assert "no labels" in adapted.summary["split_text"]
    assert adapted.model.digest != trained.model.digest
    assert adapted.model.card.calibration.fitted_on == "picks as soft labels"
    assert adapted.summary["expected_per_micrograph"] == pytest.approx(18, rel=0.35)
    pixels, xy = image(200)
    plan = plan_picking(adapted.model, PickSettings(device="cpu", threads=1))
    picks = {"m": pick_image(adapted.model, pixels, PIXEL_A, plan, "m").picks}
    truth = {"m": Labels.from_xy("m", xy[:, 0], xy[:, 1])}
    assert evaluate(picks, truth, DIAMETER_PX, {"m": SIDE}).ap > 0.8


def test_contrast_cannot_be_found_without_labels(
    data: tuple[list[Micrograph], dict[str, Labels]], trained: TrainingResult, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="say dark or light"):
        train((data[0], {}), tmp_path, start=trained.model, contrast="auto")


def test_fine_tuning_keeps_network_and_scale(
    data: tuple[list[Micrograph], dict[str, Labels]], trained: TrainingResult, tmp_path: Path
) -> None:
    result = train(data, tmp_path, start=trained.model, diameter=None, recipe=SHORT)
    card = result.model.card
    assert card.parent == trained.model.digest
    assert (card.network, card.diameter_A) == (trained.model.card.network, 64)
    assert result.model.digest != trained.model.digest


@pytest.mark.parametrize("objective", ["pn", "ge-binomial", "ge-kl"])
def test_other_objectives_run(
    data: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path, objective: str
) -> None:
    result = train(data, tmp_path, objective=objective, recipe=SHORT)
    assert all(np.isfinite(row["loss"]) for row in result.curve)
    assert all(torch.isfinite(t).all() for t in result.model.tensors().values())


def test_light_particles_are_found_out(
    data: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path
) -> None:
    flipped = []
    for k in range(4):
        path = write_mrc(tmp_path / f"m{k}.mrc", -image(k)[0])
        flipped.append(Micrograph(path.name, LocalFile(path), PIXEL_A))
    labels = {m.id: data[1][m.id] for m in flipped}
    result = train((flipped, labels), tmp_path / "spool", contrast="auto", recipe=SHORT)
    assert result.model.card.contrast == "light"
    # A training that starts from that model sees the same sign without being told again.
    tuned = train((flipped, labels), tmp_path / "tuned", start=result.model, recipe=SHORT)
    assert tuned.model.card.contrast == "light"


def test_another_pixel_size_is_another_training(
    data: tuple[list[Micrograph], dict[str, Labels]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(JobStopped):
        train(data, tmp_path, reporter=StopAt(3, JobStopped), recipe=SHORT)
    doubled = [replace(m, pixel_size_A=1.01 * PIXEL_A) for m in data[0]]
    with caplog.at_level(logging.INFO):
        other = train((doubled, data[1]), tmp_path, recipe=SHORT)
    told = "the micrographs changed since the training of this job was stopped: training anew"
    assert told in caplog.messages
    whole = train((doubled, data[1]), tmp_path / "whole", recipe=SHORT)
    assert other.model.digest == whole.model.digest


def test_one_or_two_labels_are_refused_and_three_train(
    data: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path
) -> None:
    name = data[0][0].id
    xy = data[1][name].keep(np.arange(3))
    outside = replace(xy, x_px=np.array([xy.x_px[0], 5000.0, 5000.0]))
    for one, found in ((xy.keep(np.arange(2)), "2;"), (outside, "1 of 3;")):
        with pytest.raises(LabelError, match=f"at least 3 labelled particles .*found {found}"):
            train((data[0], {name: one}), tmp_path, recipe=SHORT)
    assert train((data[0], {name: xy}), tmp_path, recipe=SHORT).summary["labels"] == 3


@pytest.mark.parametrize("labelled", [True, False])
def test_a_contrast_that_labels_or_images_contradict_is_told(
    data: tuple[list[Micrograph], dict[str, Labels]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    labelled: bool,
) -> None:
    """Dark discs taken for light ones; random places as labels say nothing."""
    micrographs, labels = data

    def told(contrast: str, given: Mapping[str, Labels]) -> list[str]:
        caplog.clear()
        reading = read_images.Reading(
            DIAMETER_PX * PIXEL_A, None, 32.0, PreprocessSpec(), contrast, tmp_path
        )
        read_images.read_training_images(micrographs, given, reading, SilentReporter())
        return [r.message for r in caplog.records if "contrast" in r.message]

    given = labels if labelled else {}
    (message,) = told("light", given)
    assert "particles look dark" in message and "--contrast dark" in message
    assert "on 45 labels" in message if labelled else "votes of 6 micrographs" in message
    assert len(message) < 300
    assert not told("dark", given)
    rng = np.random.default_rng(3)
    anywhere = {
        name: Labels.from_xy(name, rng.uniform(20, 160, 9), rng.uniform(20, 160, 9))
        for name in labels
    }
    if labelled:
        assert not told("light", anywhere)
