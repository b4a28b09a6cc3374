"""Every host: what a training job asks of it and gives it; a stop changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostpick.errors import JobStopped
from frostpick.models.picking_model import PickingModel
from frostpick.settings import TrainSettings
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.job.outputs import ModelOutput, Report
from frostpick_jobs.tasks import run_train
from frostpick_jobs.tasks import train as train_task

STEPS = 50


def write_labels(case: Any, data: Any) -> Path:
    """Write every true particle, as a CSV that names each micrograph with its folder."""
    path: Path = case.project / "labels.csv"
    lines = ["micrograph,x_px,y_px"]
    for number, name in enumerate(data.names):
        lines += [f"{name},{x},{y}" for x, y in data.truth(number)]
    path.write_text("\n".join(lines) + "\n")
    return path


def train(
    case: Any,
    spy: Any,
    labels: Path,
    during: Callable[[Host], None] = lambda host: None,
    **changes: Any,
) -> int:
    """Run a training job of one short epoch; return the exit code."""
    spy.calls.clear()
    options = {
        "diameter": 64.0,
        "threads": 1,
        "device": "cpu",
        "network": "conv31",
        "steps": 50,
        **case.settings,
        **changes,
    }
    host = spy.watch(case.host("train", labels=labels))
    during(host)
    return run_job(host, lambda: run_train(host, TrainSettings(**options)))


class Reached(Exception):
    """Carries what the task gave to the engine."""


def test_labels_reach_the_engine_row_by_row(
    case: Any, spy: Any, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = write_labels(case, data)
    given = case.host("train", labels=labels).labels()
    reached = {}

    def stub(micrographs: Any, labels: Any, settings: Any, **others: Any) -> Any:
        reached.update(labels)
        raise Reached

    monkeypatch.setattr(train_task, "train_picker", stub)
    assert train(case, spy, labels) == 1
    assert sorted(reached) == sorted(case.id_of(file) for file in case.files)
    for number, file in enumerate(case.files):
        one, host_one = reached[case.id_of(file)], given[case.id_of(file)]
        np.testing.assert_array_equal(one.row, host_one.row)
        np.testing.assert_allclose(np.stack([one.x_px, one.y_px], 1), data.truth(number))
        assert (one.sign == 1).all() and len(set(one.row.tolist())) == len(one)


def test_train_stop_continue(case: Any, spy: Any, data: Any, new_case: Any) -> None:
    """Stopped in mid-step and continued: the model of an uninterrupted training."""
    labels = write_labels(case, data)

    def during(host: Any) -> None:
        def stop() -> None:
            def check() -> None:
                raise JobStopped("stopped by the host")

            host.reporter.check = check

        data.after_advances(host, len(case.files) + STEPS // 2, stop)

    assert train(case, spy, labels, during) == 130
    assert spy.ends() == ["aborted"] and "deliver" not in spy.names()
    spy.draw = True
    assert train(case, spy, labels) == 0
    spy.draw = False
    names = spy.names()
    assert names[0] == "begin" and names[-2:] == ["deliver", "end"]
    assert names.count("begin") == names.count("deliver") == names.count("end") == 1
    report, digest = spy.output(Report), spy.output(ModelOutput).model.digest
    assert report.record["counts"]["labels"] == sum(len(data.truth(n)) for n in range(6))
    assert len(report.record["curve"]) >= 1
    assert spy.output(ModelOutput).curve == report.record["curve"]
    names = [one.name for one in report.figures if one.png.startswith(b"\x89PNG")]
    assert len(names) == 1 + 4 and sum(n.startswith("picks_on_") for n in names) == 4
    uninterrupted = new_case("another")
    assert train(uninterrupted, spy, write_labels(uninterrupted, data)) == 0
    assert spy.output(ModelOutput).model.digest == digest
    saved = PickingModel.load(case.folder() / "model")
    assert saved.digest == digest
    # The trained model picks on the same host, in a job of its own.
    picking = new_case("picking")
    assert spy.pick(picking, model=str(case.folder() / "model"), diameter=None) == 0
    assert sum(len(picks) for picks in picking.delivered().values()) > 20


def test_a_folder_holds_one_kind_of_job(case: Any, spy: Any, data: Any) -> None:
    labels = write_labels(case, data)
    assert spy.pick(case) == 0
    before = case.native_files()
    assert train(case, spy, labels) == 1
    assert spy.ends() == ["failed"]
    assert "holds a pick job, not a train job" in spy.calls[-1][2]
    assert case.native_files() == before


def test_no_label_on_any_micrograph(case: Any, spy: Any, data: Any) -> None:
    labels = write_labels(case, data)

    def none(host: Any) -> None:
        host.labels = lambda: {}

    assert train(case, spy, labels, none) == 1
    assert "no label is on any" in spy.calls[-1][2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_or_two_labels_are_refused(
    case: Any, spy: Any, data: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any, count: int
) -> None:
    def stub(*args: Any, **others: Any) -> Any:
        raise Reached

    monkeypatch.setattr(train_task, "train_picker", stub)
    labels = write_labels(case, data)
    labels.write_text("".join(labels.read_text().splitlines(keepends=True)[: count + 1]))
    assert train(case, spy, labels) == 1
    assert ("at least 3 labelled particles" in spy.calls[-1][2]) == (count < 3)
    assert ("3 labels are few" in caplog.text) == (count == 3)
