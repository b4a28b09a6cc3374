"""Every host: a job keeps the weights that it began with, whatever a later frostpick ships."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from shelf import GENERAL_1, Shelf

from frostpick.errors import JobStopped
from frostpick.models.shipped import load_model
from frostpick.settings import TrainSettings
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.train import train_picker
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.job.outputs import ModelOutput, Report
from frostpick_jobs.tasks import run_train
from frostpick_jobs.tasks import train as train_task

DONE = 2


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(tmp_path / "shelf", monkeypatch)


def upgrade(shelf: Shelf, *, forget: bool = True) -> str:
    """Ship another model as the newest general, and no longer the first; return its digest."""
    other = load_model("blob")
    shelf.add("general-2", other)
    if forget:
        shelf.drop("general-1")
    return other.digest


def named(model: dict[str, Any]) -> tuple[str, str]:
    """Return the digest and the name that a record has of a model."""
    return model["digest"], model["name"]


def general(case: Any, spy: Any, *during: Callable[[Any], None], **changes: Any) -> int:
    code: int = spy.pick(case, *during, **{"model": "general", **changes})
    return code


def stop_after(data: Any, count: int) -> Callable[[Any], None]:
    """Return what makes a host want to stop after so many steps."""

    def during(host: Any) -> None:
        def stop() -> None:
            def check() -> None:
                raise JobStopped("stopped by the host")

            host.reporter.check = check

        data.after_advances(host, count, stop)

    return during


def test_a_continue_after_an_upgrade_picks_nothing_again_and_a_new_job_is_new(
    case: Any, spy: Any, shelf: Shelf, new_case: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert general(case, spy) == 0
    said = [r.message for r in caplog.records if "general is" in r.message]
    assert said == [f"general is general-1 (sha256 {GENERAL_1[:12]})"]
    first = {"general": {"version": "general-1", "digest": GENERAL_1}}
    assert spy.output(Report).record["shipped"] == first
    before = case.native_files()
    for forget in (False, True):
        newer = upgrade(shelf, forget=forget)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert general(case, spy) == 0
        assert spy.inferred == [] and case.native_files() == before
        assert "picked again" not in caplog.text
        (line,) = [r.message for r in caplog.records if "general is" in r.message]
        assert line.startswith(f"{said[0]}, as when this job first ran; the newest is general-2")
        assert spy.output(Report).record["shipped"] == first
        assert named(spy.output(Report).record["model"]) == (GENERAL_1, "general")
    another = new_case("another")
    assert general(another, spy) == 0
    assert len(spy.inferred) == len(another.files)
    now = {"general": {"version": "general-2", "digest": newer}}
    assert spy.output(Report).record["shipped"] == now
    assert another.native_files() != before


def test_a_killed_first_run_keeps_its_version(
    new_case: Any, spy: Any, shelf: Shelf, data: Any
) -> None:
    uninterrupted = new_case("whole")
    assert general(uninterrupted, spy) == 0
    wanted = uninterrupted.native_files()
    case = new_case("killed")
    assert general(case, spy, stop_after(data, DONE)) == 130
    done = list(spy.inferred)
    upgrade(shelf)
    assert general(case, spy) == 0
    assert len(spy.inferred) == len(case.files) - DONE and not set(spy.inferred) & set(done)
    assert case.native_files() == wanted


def test_exact_names(case: Any, spy: Any, shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    assert general(case, spy) == 0
    before = case.native_files()
    newer = upgrade(shelf)
    assert general(case, spy, model="general-1") == 0  # which only the job has by now
    assert spy.inferred == [] and case.native_files() == before
    with caplog.at_level(logging.INFO):
        assert general(case, spy, model="general-2") == 0
    assert len(spy.inferred) == len(case.files) and case.native_files() != before
    assert "model changed: 6 micrographs picked again" in caplog.text
    assert named(spy.output(Report).record["model"]) == (newer, "general-2")
    assert general(case, spy) == 0  # in this job general is what it was
    assert len(spy.inferred) == len(case.files) and case.native_files() == before
    assert general(case, spy, model="general-3") == 1
    assert "versions of general are: general-2" in spy.calls[-1][2]


def test_a_damaged_copy_is_told(
    case: Any, spy: Any, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    assert general(case, spy) == 0
    before = case.native_files()
    copy = case.host().spool / "models" / "general-1" / "model.safetensors"
    whole = copy.read_bytes()
    assert load_model(str(copy)).digest == GENERAL_1
    content = bytearray(whole)
    content[-1000] ^= 1
    copy.write_bytes(bytes(content))
    assert general(case, spy) == 0  # this version still has it
    assert "digest differs" in caplog.text and "copy of general-1 is written again" in caplog.text
    assert copy.read_bytes() == whole and spy.inferred == []
    upgrade(shelf)
    for broken in (bytes(content), whole[:5000], None):
        copy.unlink()
        if broken is not None:
            copy.write_bytes(broken)
        assert general(case, spy) == 1
        assert spy.ends() == ["failed"] and "deliver" not in spy.names()
        assert "the job's copy of general-1" in spy.calls[-1][2] and "\n" not in spy.calls[-1][2]
        copy.write_bytes(whole)
    load_model("blob").save(copy.parent)  # whole, and another's
    assert general(case, spy) == 1
    assert f"expected {GENERAL_1[:12]}" in spy.calls[-1][2]
    copy.with_name("model.json").unlink()
    copy.write_bytes(whole)
    assert general(case, spy) == 0
    assert spy.inferred == [] and case.native_files() == before


def test_a_damaged_list_of_names_is_told(case: Any, spy: Any, shelf: Shelf) -> None:
    assert general(case, spy) == 0
    names = case.host().spool / "models" / "names.json"
    assert json.loads(names.read_text())["general"]["version"] == "general-1"
    names.write_text("{")
    assert general(case, spy) == 1
    assert "names.json: damaged" in spy.calls[-1][2]
    names.unlink()
    upgrade(shelf, forget=False)
    assert general(case, spy, model="general-1") == 0
    assert spy.inferred == []


def test_a_job_from_before_models_were_kept_has_the_first_version(
    case: Any, spy: Any, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    assert general(case, spy) == 0
    before = case.native_files()
    spool = case.host().spool
    shutil.rmtree(spool / "models")
    (spool / "job.json").write_text('{"task": "pick"}\n')  # as it was written then
    upgrade(shelf, forget=False)
    assert general(case, spy) == 0
    assert spy.inferred == [] and case.native_files() == before
    shelf.drop("general-1")
    assert general(case, spy) == 0
    assert spy.inferred == [] and case.native_files() == before


def test_a_model_of_ones_own_that_was_changed_is_another(
    case: Any, spy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not kept: whoever trains again into the same folder wants the new one."""
    own = case.project / "own"
    blob = load_model("blob")
    blob.save(own)
    assert general(case, spy, model=str(own)) == 0
    assert spy.output(Report).record["shipped"] == {}
    assert not (case.host().spool / "models").exists()
    replace(blob, card=blob.card.model_copy(update={"citation": "another"})).save(own)
    with caplog.at_level(logging.INFO):
        assert general(case, spy, model=str(own)) == 0
    assert "model changed: 6 micrographs picked again" in caplog.text


def train(
    case: Any, spy: Any, data: Any, during: Callable[[Host], None] = lambda host: None
) -> int:
    """Train from general on all true particles; return the exit code."""
    spy.calls.clear()
    labels = case.project / "labels.csv"
    lines = ["micrograph,x_px,y_px"]
    for number, name in enumerate(data.names):
        lines += [f"{name},{x},{y}" for x, y in data.truth(number)]
    labels.write_text("\n".join(lines) + "\n")
    options = {"diameter": 64.0, "threads": 1, "device": "cpu", **case.settings}
    host = spy.watch(case.host("train", labels=labels))
    during(host)
    return run_job(host, lambda: run_train(host, TrainSettings(**options)))


def test_an_interrupted_training_goes_on_from_the_same_start(
    new_case: Any, spy: Any, shelf: Shelf, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Recipe(epoch_steps=6, tuning_epochs=1, few_epochs=1, tiles=2, outputs=5)
    monkeypatch.setattr(train_task, "train_picker", partial(train_picker, recipe=short))
    assert train(new_case("whole"), spy, data) == 0
    whole = spy.output(ModelOutput).model
    assert whole.card.parent == GENERAL_1
    told = "derived from general-1 (BSD-3-Clause); licence of this model: not stated"
    assert whole.card.license == told  # also where general-1 is shipped no longer, see below
    case = new_case("killed")
    assert train(case, spy, data, stop_after(data, len(case.files) + 3)) == 130
    assert (case.host().spool / "training" / "training.safetensors").exists()
    upgrade(shelf)
    assert train(case, spy, data) == 0
    assert spy.output(ModelOutput).model.digest == whole.digest
    assert spy.output(Report).record["shipped"]["general"]["version"] == "general-1"


def test_a_facilitys_model_is_kept_like_a_shipped_one(
    case: Any,
    spy: Any,
    new_case: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two catalogues of a facility, an older and a newer one, and then none."""
    models, blob = tmp_path / "facility", load_model("blob")
    first = replace(blob, card=blob.card.model_copy(update={"min_distance": 0.6}))
    second = replace(blob, card=blob.card.model_copy(update={"min_distance": 1.4}))
    first.save(models / "ribosome-1")
    monkeypatch.setenv("FROSTPICK_MODELS", str(models))

    def picked(one: Any, model: str = "ribosome") -> str:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert general(one, spy, model=model) == 0
        (line,) = [r.message for r in caplog.records if r.message.startswith(f"{model} is ")]
        return str(line)

    said = f"ribosome is ribosome-1 (sha256 {first.digest[:12]})"
    assert picked(case) == said and len(spy.inferred) == len(case.files)
    kept = {"ribosome": {"version": "ribosome-1", "digest": first.digest}}
    assert spy.output(Report).record["shipped"] == kept
    before = case.native_files()
    second.save(models / "ribosome-2")
    newer = "; the newest is ribosome-2: give that name to work with it"
    assert picked(case) == f"{said}, as when this job first ran{newer}"
    assert spy.inferred == [] and case.native_files() == before
    models.rename(tmp_path / "away")
    assert picked(case).startswith(f"{said}, as when this job first ran; {models}, of FROSTPICK_MO")
    monkeypatch.delenv("FROSTPICK_MODELS")
    assert picked(case).endswith("; the facility has no such model now")
    assert spy.inferred == [] and case.native_files() == before
    monkeypatch.setenv("FROSTPICK_MODELS", str(tmp_path / "away"))
    another = new_case("another")
    assert picked(another) == f"ribosome is ribosome-2 (sha256 {second.digest[:12]})"
    assert len(spy.inferred) == len(another.files) and another.native_files() != before


def test_a_facilitys_model_that_was_replaced_under_its_name(
    case: Any, spy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    models, blob = tmp_path / "facility", load_model("blob")
    blob.save(models / "ribosome")
    monkeypatch.setenv("FROSTPICK_MODELS", str(models))
    assert general(case, spy, model="ribosome") == 0
    replace(blob, card=blob.card.model_copy(update={"min_distance": 1.4})).save(models / "ribosome")
    with caplog.at_level(logging.INFO):
        assert general(case, spy, model="ribosome") == 0
    assert spy.inferred == []
    assert "the facility's is another now: give its path to work with it" in caplog.text
    assert str(models / "ribosome") in caplog.text
