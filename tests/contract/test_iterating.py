"""Every host: an iterating job gives a model and every round; a stop changes nothing."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frostpick.errors import JobStopped
from frostpick.iterating import iterate as engine
from frostpick.iterating.verification import SureRule
from frostpick.models.picking_model import PickingModel
from frostpick.settings import IterateSettings, TrainSettings
from frostpick.training.picker.recipe import Recipe
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.job.outputs import ModelOutput, Report
from frostpick_jobs.tasks import iterate as iterate_task
from frostpick_jobs.tasks import run_iterate, run_train

STEPS = 20


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for a moment, and believe every pick: the point is the way, not the accuracy."""
    recipe = Recipe(units=4, epoch_steps=STEPS, tiles=4, outputs=9, rate=1e-2)
    monkeypatch.setattr(engine, "Recipe", lambda: recipe)
    monkeypatch.setattr(engine, "SureRule", lambda: SureRule(confident=0.0, spread=1.0))
    monkeypatch.setattr(iterate_task, "picked_figures", lambda *a: [])


def write_labels(case: Any, data: Any) -> Path:
    """Write five true particles of each, as a CSV that names each micrograph with its folder."""
    path: Path = case.project / "labels.csv"
    lines = ["micrograph,x_px,y_px"]
    for number, name in enumerate(data.names):
        lines += [f"{name},{x},{y}" for x, y in data.truth(number)[:5]]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(
    case: Any,
    spy: Any,
    labels: Path,
    during: Callable[[Host], None] = lambda host: None,
    task: str = "iterate",
    **changes: Any,
) -> int:
    """Run a job of at most one round; return the exit code."""
    spy.calls.clear()
    options = {
        "diameter": 64.0,
        "threads": 1,
        "device": "cpu",
        "network": "conv31",
        "steps": STEPS,
        "rounds": 1,
        **case.settings,
        **changes,
    }
    host = spy.watch(case.host(task, labels=labels))
    during(host)
    if task == "train":
        return run_job(host, lambda: run_train(host, TrainSettings(**options)))
    return run_job(host, lambda: run_iterate(host, IterateSettings(**options)))


def test_iterate_stop_continue(case: Any, spy: Any, data: Any, new_case: Any) -> None:
    """Stopped inside the second training and continued: every round as if never stopped."""
    labels = write_labels(case, data)

    def during(host: Any) -> None:
        def stop() -> None:
            def check() -> None:
                raise JobStopped("stopped by the host")

            host.reporter.check = check

        # 5 training micrographs read, steps, 6 labelled read to calibrate, 6 picked, 5 read again
        data.after_advances(host, 5 + STEPS + 6 + 6 + 5 + STEPS // 2, stop)

    assert run(case, spy, labels, during) == 130
    assert spy.ends() == ["aborted"] and "deliver" not in spy.names()
    rounds = case.host("iterate", labels=labels).spool / "rounds"
    assert (rounds / "round_00" / "round.json").exists()
    assert (rounds / "round_01" / "training" / "training.safetensors").exists()
    assert run(case, spy, labels) == 0
    assert spy.names()[0] == "begin" and spy.names()[-2:] == ["deliver", "end"]
    report, digest = spy.output(Report), spy.output(ModelOutput).model.digest
    assert [row["round"] for row in report.record["rounds"]] == [0, 1]
    assert report.record["rounds"][1]["new_particles"] > 0
    assert [one.name for one in report.figures[:2]] == ["rounds", "views"]
    folder = case.folder()
    assert PickingModel.load(folder / "model").digest == digest
    with (folder / "rounds.csv").open(newline="") as handle:
        assert [row["round"] for row in csv.DictReader(handle)] == ["0", "1"]
    for number in (0, 1):
        place = folder / "rounds" / f"round_0{number}"
        assert PickingModel.load(place).card.diameter_A == 64
        with (place / "picks.csv").open(newline="") as handle:
            names = {row["micrograph"] for row in csv.DictReader(handle)}
        assert names and names <= {case.id_of(file) for file in case.files}
    uninterrupted = new_case("another")
    assert run(uninterrupted, spy, write_labels(uninterrupted, data)) == 0
    assert spy.output(ModelOutput).model.digest == digest


def test_train_with_rounds_is_the_same_in_a_training_job(case: Any, spy: Any, data: Any) -> None:
    labels = write_labels(case, data)
    assert run(case, spy, labels, task="train") == 0
    assert [row["round"] for row in spy.output(Report).record["rounds"]] == [0, 1]
    assert spy.output(Report).record["task"] == "train"
    assert run(case, spy, labels) == 1
    assert "holds a train job, not an iterate job" in spy.calls[-1][2]
