"""Trainings that are continued with other inputs or settings, on a folder and in RELION."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_images import spots_on_noise, write_mrc

from frostpick.errors import JobStopped
from frostpick.iterating import iterate as iterating
from frostpick.iterating.verification import SureRule
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.picking_model import PickingModel
from frostpick.models.registry import build_network
from frostpick.settings import IterateSettings, TrainSettings
from frostpick.training.picker import training_loop
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.train import train_picker
from frostpick_jobs.cli import relion
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.tasks import iterate as iterate_task
from frostpick_jobs.tasks import run_iterate, run_train
from frostpick_jobs.tasks import train as train_task

SIDE, PIXEL_A, DIAMETER_A = (160, 180), 2.0, 64.0
STEPS = 5


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for a moment, save after each step, and draw nothing."""
    recipe = Recipe(units=2, epoch_steps=STEPS, tuning_epochs=1, passes=1, tiles=2, outputs=5)
    monkeypatch.setattr(train_task, "train_picker", partial(train_picker, recipe=recipe))
    monkeypatch.setattr(iterating, "Recipe", lambda: recipe)
    monkeypatch.setattr(iterating, "SureRule", lambda: SureRule(confident=0.0, spread=1.0))
    for task in (train_task, iterate_task):
        monkeypatch.setattr(task, "picked_figures", lambda *a: [])
    monkeypatch.setattr(training_loop, "SAVE_EVERY_S", -1.0)


@pytest.fixture(autouse=True)
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Keep what is told."""
    with caplog.at_level(logging.INFO):
        yield caplog


def places(number: int) -> np.ndarray:
    """Return ``(6, 2)`` x and y of the particles of a micrograph."""
    grid = np.stack(np.meshgrid([35.0, 90.0, 145.0], [45.0, 115.0]), -1).reshape(-1, 2)
    return grid + np.random.default_rng(number).uniform(-6, 6, grid.shape)


def write_micrograph(project: Path, number: int) -> None:
    pixels = spots_on_noise(SIDE, places(number), number, depth=3.0)
    write_mrc(project / "Micrographs" / f"m{number}.mrc", pixels)


def write_labels(project: Path, count: int) -> None:
    """Write the first ``count`` of the particles of three micrographs."""
    rows = [(number, *xy) for number in range(3) for xy in places(number).tolist()][:count]
    (project / "labels.csv").write_text(
        "micrograph,x_px,y_px\n" + "".join(f"m{n}.mrc,{x},{y}\n" for n, x, y in rows)
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three micrographs, 15 labels, and a model that has learned nothing."""
    for number in range(3):
        write_micrograph(tmp_path, number)
    write_labels(tmp_path, 15)
    torch.manual_seed(0)
    spec = NetworkSpec(name="conv31", arguments={"units": 2, "norm": "none"})
    network = build_network(spec.name, spec.arguments).eval()
    PickingModel(ModelCard(network=spec), network).save(tmp_path / "start")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(task: str, out: str = "out", **others: Any) -> int:
    """Run a job of a folder as the command does; return the exit status."""
    told = {"diameter": DIAMETER_A, "pixel_size": PIXEL_A, "device": "cpu", "threads": 1}
    told |= {"start_model": "start", "steps": STEPS, **others}
    inputs = {"micrographs": ["Micrographs"], "labels": ["labels.csv"]}
    host = FolderHost(Path(out), inputs, pixel_size=PIXEL_A)
    if task == "iterate":
        more = {"rounds": 1, "pruner": "none"}
        return run_job(host, lambda: run_iterate(host, IterateSettings(**{**told, **more})))
    return run_job(host, lambda: run_train(host, TrainSettings(**told)))


def digest(out: str = "out") -> str:
    return PickingModel.load(Path(out) / "model").digest


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return ``(after) -> context``: in it a training ends before so many steps are taken."""
    original = training_loop.TrainingLoop.step

    class Stopping:
        def __init__(self, after: int) -> None:
            self.left = after

        def __enter__(self) -> None:
            def step(one: training_loop.TrainingLoop) -> dict[str, float]:
                self.left -= 1
                if self.left < 0:
                    raise JobStopped("stopped by the test")
                return original(one)

            monkeypatch.setattr(training_loop.TrainingLoop, "step", step)

        def __exit__(self, *error: object) -> None:
            monkeypatch.setattr(training_loop.TrainingLoop, "step", original)

    return Stopping


both = pytest.mark.parametrize("task", ["train", "iterate"])


@both
def test_the_same_again_takes_no_step_and_changes_no_byte(
    project: Path, stopping: Any, task: str
) -> None:
    assert run(task) == 0
    before = (project / "out/model/model.safetensors").read_bytes()
    with stopping(0):
        assert run(task) == 0
    assert (project / "out/model/model.safetensors").read_bytes() == before


@both
def test_more_labels_train_a_finished_one_anew(
    project: Path, logs: pytest.LogCaptureFixture, task: str
) -> None:
    assert run(task) == 0
    before = digest()
    write_labels(project, 18)
    assert run(task) == 0
    told = "the labels changed since the training of this job ended: training anew"
    assert logs.messages.count(told) == 1
    assert run(task, "fresh") == 0 and digest() == digest("fresh") != before


@both
def test_a_new_micrograph_trains_a_finished_one_anew(
    project: Path, logs: pytest.LogCaptureFixture, stopping: Any, task: str
) -> None:
    assert run(task) == 0
    write_micrograph(project, 3)
    assert run(task) == 0
    told = "the micrographs changed since the training of this job ended: training anew"
    assert logs.messages.count(told) == 1
    with stopping(0):  # and that one is finished
        assert run(task) == 0
    assert run(task, "fresh") == 0 and digest() == digest("fresh")


@both
def test_other_settings_train_a_finished_one_anew(
    project: Path, logs: pytest.LogCaptureFixture, task: str
) -> None:
    assert run(task) == 0
    write_labels(project, 16)
    assert run(task, seed=4) == 0
    told = "the labels and the settings (--seed) changed since the training of this job ended"
    assert f"{told}: training anew" in logs.messages
    assert run(task, "fresh", seed=4) == 0 and digest() == digest("fresh")


@both
def test_an_unfinished_one_with_other_settings_is_refused_and_not_lost(
    project: Path, logs: pytest.LogCaptureFixture, stopping: Any, task: str
) -> None:
    with stopping(3):
        assert run(task) == 130
    for _ in range(2):  # asked again it is refused again
        assert run(task, seed=4) == 1
        assert logs.messages[-1].endswith(
            "an unfinished training with other settings is here, --seed 0 and not --seed 4; give "
            "those again to go on with it, or throw it away with --restart"
        )
    assert run(task) == 0
    assert "going on after step 3 of 5" in logs.messages
    assert run(task, "whole") == 0 and digest() == digest("whole")


@both
def test_restart_begins_an_unfinished_one_anew(project: Path, stopping: Any, task: str) -> None:
    with stopping(3):
        assert run(task) == 130
    labels = (project / "labels.csv").read_text()
    (project / "labels.csv").write_text("micrograph,x_px,y_px\nm0.mrc,9,9\n")
    states = sorted((project / "out").rglob("training.safetensors"))
    assert states and run(task, seed=4, restart=True) == 1
    # nothing is thrown away for a training that cannot begin
    assert sorted((project / "out").rglob("training.safetensors")) == states
    (project / "labels.csv").write_text(labels)
    assert run(task, seed=4, restart=True) == 0
    assert run(task, "whole", seed=4) == 0 and digest() == digest("whole")


@both
def test_other_labels_begin_an_unfinished_one_anew(
    project: Path, logs: pytest.LogCaptureFixture, stopping: Any, task: str
) -> None:
    with stopping(3):
        assert run(task) == 130
    write_labels(project, 17)
    assert run(task) == 0
    told = "the labels changed since the training of this job was stopped: training anew"
    assert logs.messages.count(told) == 1
    assert run(task, "whole") == 0 and digest() == digest("whole")


@pytest.mark.parametrize("count", [1, 2, 3, 14, 15])
@both
def test_few_labels_are_refused_or_told_of(
    project: Path, logs: pytest.LogCaptureFixture, stopping: Any, task: str, count: int
) -> None:
    write_labels(project, count)
    with stopping(0):
        assert run(task) == (1 if count < 3 else 130)
    (*_, last) = logs.messages
    refused = f"training needs at least 3 labelled particles inside the micrographs, found {count};"
    assert last.startswith(refused) == (count < 3)
    assert ("or leave --labels away" in last) == (count < 3)
    few = [one for one in logs.messages if one.startswith(f"{count} labels are few: from general")]
    assert len(few) == (3 <= count < 15)
    assert all(len(one) <= 300 for one in [*few, last])


def test_a_training_from_nothing_needs_labels(project: Path, logs: Any, stopping: Any) -> None:
    write_labels(project, 2)
    assert run("train", start_model="none") == 1 and "leave" not in logs.messages[-1]
    write_labels(project, 4)
    with stopping(0):
        assert run("train", start_model="none") == 130
    assert any(one.startswith("4 labels are few: from nothing") for one in logs.messages)


OPTICS = f"""
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
opticsGroup1 1 {PIXEL_A}

"""


def continue_relion(task: str, count: int, *more: str, micrographs: int = 3) -> int:
    """Run External/job002 as RELION does, first or again; return the exit status."""
    names = [f"Micrographs/m{k}.mrc" for k in range(micrographs)]
    Path("m.star").write_text(
        f"{OPTICS}data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
        + "".join(f"{name} 1\n" for name in names)
    )
    rows = [(names[k], *xy) for k in range(3) for xy in places(k).tolist()][:count]
    Path("p.star").write_text(
        f"{OPTICS}data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
        "_rlnCoordinateY #3\n_rlnOpticsGroup #4\n"
        + "".join(f"{name} {x} {y} 1\n" for name, x, y in rows)
    )
    words = ["--o", "External/job002/", "--in_mics", "m.star", "--in_parts", "p.star"]
    words += [
        "--start-model",
        "start",
        "--diameter",
        f"{DIAMETER_A}",
        "--steps",
        f"{STEPS}",
        "--j",
        "1",
    ]
    words += ["--device", "cpu", *(["--rounds", "1", "--pruner", "none"] * (task == "iterate"))]
    return relion.guarded(task, [*words, *more])


@both
def test_a_relion_job_is_continued_with_more_micrographs_and_labels(
    project: Path, capsys: pytest.CaptureFixture[str], stopping: Any, task: str
) -> None:
    job = project / "External" / "job002"
    assert continue_relion(task, 15) == 0 and (job / markers.SUCCESS).exists()
    before = digest("External/job002")
    write_micrograph(project, 3)
    assert continue_relion(task, 18, micrographs=4) == 0 and (job / markers.SUCCESS).exists()
    told = "the labels and the micrographs changed since the training of this job ended: training"
    out = capsys.readouterr().out
    assert told in out and digest("External/job002") != before
    with stopping(2):
        assert continue_relion(task, 18, "--seed", "7", micrographs=4) == 130
    assert "the settings (label seed) changed since" in capsys.readouterr().out
    assert continue_relion(task, 18, "--seed", "8", micrographs=4) == 1
    assert (job / markers.FAILURE).exists()
    assert (
        "an unfinished training with other settings is here, label seed = 7 and not label seed = "
        "8; give those again to go on with it, or throw it away with label restart = yes"
    ) in capsys.readouterr().err
    assert continue_relion(task, 2) == 1
    assert "leave field 'Input coordinates' or 'Input particles' away" in capsys.readouterr().err
    assert continue_relion(task, 18, "--seed", "8", "--restart", "yes", micrographs=4) == 0
    assert (job / markers.SUCCESS).exists()
