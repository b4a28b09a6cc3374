"""A folder's jobs of every other task keep the weights that they began with; what a name means."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from prune_project import prune, settings, write_project
from shelf import GENERAL_1, Shelf
from tiny_pruner import DIAMETER_A, PIXEL_A, tiny_pruner

from frostpick import fewshot as method_of
from frostpick.errors import InputError, ModelError
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.cryomae import PRESETS, Preset
from frostpick.models.cryomae.autoencoder import MaskedAutoencoder
from frostpick.models.cryomae.model import KIND, NETWORK, AutoencoderModel
from frostpick.models.pruner.model import Pruner
from frostpick.models.shipped import load_model
from frostpick.models.versions import VERSIONS, version_of
from frostpick.pruning import scoring
from frostpick.settings import FewshotSettings, IterateSettings, VerifySettings
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.train import train_picker
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.job.models import JobModels
from frostpick_jobs.job.output_folder import claim_output_folder
from frostpick_jobs.job.report import summary_rows
from frostpick_jobs.tasks import fewshot, run_fewshot, run_iterate
from frostpick_jobs.tasks import iterate as iterate_task
from frostpick_jobs.tasks.prune import run as prune_task
from frostpick_jobs.tasks.prune.run import run_verify
from frostpick_jobs.tasks.select import run_select

EXEMPLARS = {"micrographs": ["mics"], "labels": ["picks.csv"]}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(tmp_path / "shelf", monkeypatch)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prune_task, "prune_figures", lambda *a: [])
    write_project(tmp_path)
    return tmp_path


def other_pruner() -> Pruner:
    """Return a pruner that gives other scores."""
    first = tiny_pruner()
    shifted = first.card.calibration.model_copy(update={"offset": 1.5})
    card = first.card.model_copy(update={"calibration": shifted})
    return first.refitted(card, first.network.state_dict())


def verify(project: Path, out: str, pruner: str = "pruner") -> FolderHost:
    inputs = {"micrographs": ["mics"], "picks": ["picks.csv"]}
    host = FolderHost(project / out, inputs, pixel_size=PIXEL_A)
    asked = settings(pruner).model_dump(include=set(VerifySettings.model_fields))
    execute(host, lambda: run_verify(host, VerifySettings(**asked)))
    return host


@pytest.mark.parametrize("task", ["prune", "verify"])
def test_pruning_goes_on_with_the_pruner_that_it_began_with(
    project: Path, shelf: Shelf, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tiny_pruner(), other_pruner()
    shelf.add("pruner-1", first)
    scored: list[str] = []
    real = scoring.score_groups

    def noted(pruner: Any, groups: Any, *others: Any) -> Any:
        scored.extend(group.name for group in groups)
        return real(pruner, groups, *others)

    monkeypatch.setattr(scoring, "score_groups", noted)

    def run(out: str, pruner: str = "pruner") -> tuple[bytes, dict[str, Any]]:
        scored.clear()
        if task == "verify":
            verify(project, out, pruner)
        else:
            prune(project, settings(pruner), out)
        record = json.loads((project / out / "run.json").read_text())
        return (project / out / "scores.csv").read_bytes(), record

    before, record = run("out")
    assert len(scored) == 2
    assert record["shipped"] == {"pruner": {"version": "pruner-1", "digest": first.digest}}
    assert ("pruner", f"pruner-1 ({first.digest[:12]})") in summary_rows(record)
    shelf.add("pruner-2", second)
    shelf.drop("pruner-1")
    again, record = run("out")
    assert again == before and scored == []
    assert record["shipped"]["pruner"]["version"] == "pruner-1"
    new, record = run("new")
    assert new != before and record["shipped"]["pruner"]["version"] == "pruner-2"
    changed, record = run("out", "pruner-2")
    assert changed == new and len(scored) == 2


def test_a_fit_to_labels_is_not_made_again(
    project: Path, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.add("pruner-1", tiny_pruner())
    (project / "good.csv").write_text("micrograph,x_px,y_px\na,50,60\na,120,70\nb,60,50\n")
    (project / "bad.csv").write_text("micrograph,x_px,y_px\na,60,140\nb,70,140\na,115,130\n")
    told: dict[str, Any] = {"labels": ["good.csv"], "bad": ["bad.csv"]}
    prune(project, settings("pruner"), **told)
    card = Pruner.load(project / "out" / "pruner").card
    derived = f"derived from pruner-1 ({tiny_pruner().card.license})"
    assert card.license == f"{derived}; licence of this model: not stated"
    made = (project / "out" / "pruner" / "model.safetensors").read_bytes()
    shelf.add("pruner-2", other_pruner())
    with caplog.at_level(logging.INFO):
        prune(project, settings("pruner"), **told)
    assert "fitted by an earlier run" in caplog.text
    assert (project / "out" / "pruner" / "model.safetensors").read_bytes() == made
    mine = settings("pruner").model_copy(update={"license": "CC-BY-4.0"})
    caplog.clear()
    with caplog.at_level(logging.INFO):
        prune(project, mine, **told)
    assert "fitted by an earlier run" in caplog.text
    card = Pruner.load(project / "out" / "pruner").card
    assert card.license.endswith("; licence of this model: CC-BY-4.0")


def test_rounds_keep_start_and_pruner(
    project: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def enough(*args: Any, start: Any, verifier: Any, **others: Any) -> Any:
        asked.append((start.digest, verifier.key))
        raise InputError("enough")

    monkeypatch.setattr(iterate_task, "iterate_picker", enough)
    shelf.add("pruner-1", tiny_pruner())
    told = {"diameter": DIAMETER_A, "pixel_size": PIXEL_A, "threads": 1, "device": "cpu"}

    def run(out: str) -> None:
        host = FolderHost(project / out, {"micrographs": ["mics"]}, pixel_size=PIXEL_A)
        with pytest.raises(InputError, match="enough"):
            execute(host, lambda: run_iterate(host, IterateSettings(**told)))

    run("out")
    other, blob = other_pruner(), load_model("blob")
    shelf.add("general-2", blob)
    shelf.add("pruner-2", other)
    run("out")
    run("new")
    first = (GENERAL_1, f"{tiny_pruner().digest} 64 A")
    assert asked == [first, first, (blob.digest, f"{other.digest} 64 A")]


def encoder(seed: int) -> AutoencoderModel:
    """Return an encoder that has learned nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = MaskedAutoencoder("tiny").half().float().eval()
    spec = NetworkSpec(name=NETWORK, arguments={"preset": "tiny"})
    return AutoencoderModel(ModelCard(kind=KIND, network=spec, px_per_diameter=28.0), network)


class Enough(Exception):
    pass


@pytest.mark.parametrize("method", ["cryomae", "pu"])
def test_few_shot_keeps_what_it_starts_from(
    project: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setitem(PRESETS, "tiny", Preset(2, 32, 2, 1, 16, 2))  # type: ignore[arg-type]
    first, second = encoder(1), encoder(2)
    assert first.digest != second.digest
    shelf.add("mae-tiny-1", first)
    asked: list[str | None] = []

    def enough(*args: Any, start: Any, **others: Any) -> Any:
        asked.append(start and start.digest)
        raise Enough

    monkeypatch.setattr(fewshot, "train_fewshot", enough)
    monkeypatch.setattr(method_of, "train_picker", enough)
    told = {"diameter": DIAMETER_A, "pixel_size": PIXEL_A, "threads": 1, "device": "cpu"}

    def run(out: str, **more: Any) -> None:
        host = FolderHost(project / out, EXEMPLARS, pixel_size=PIXEL_A)
        with pytest.raises(Enough):
            run_fewshot(host, FewshotSettings(method=method, **told, **more))

    # no encoder of that size is shipped, and general serves pu, which has no sizes
    base = {"encoder_size": "base"} if method == "cryomae" else {}
    run("out")
    run("base", **base)
    shelf.add("mae-tiny-2", second)
    shelf.add("general-2", blob := load_model("blob"))
    shelf.drop("mae-tiny-1")
    shelf.drop("general-1")
    shelf.add("mae-base-1", first)
    for out, more in (("out", {}), ("base", base), ("new", {})):
        run(out, **more)
    run("newer", encoder="mae-tiny-2" if method == "cryomae" else "general-2")
    if method == "cryomae":
        assert asked == [first.digest, None, first.digest, None, second.digest, second.digest]
    else:
        assert asked == [GENERAL_1, GENERAL_1, GENERAL_1, GENERAL_1, blob.digest, blob.digest]


@pytest.mark.parametrize("version", ["mae-tiny-1", "general-1"])
def test_auto_goes_on_with_a_model_that_is_shipped_no_longer(
    project: Path,
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    version: str,
) -> None:
    """What the model given is for, a continued job asks its own copy."""
    monkeypatch.setitem(PRESETS, "tiny", Preset(2, 32, 2, 1, 16, 2))  # type: ignore[arg-type]
    first = encoder(1)
    shelf.add("mae-tiny-1", first)
    asked: list[str] = []

    def enough(*args: Any, start: Any, **others: Any) -> Any:
        asked.append(start.digest)
        raise Enough

    monkeypatch.setattr(fewshot, "train_fewshot", enough)
    monkeypatch.setattr(method_of, "train_picker", enough)
    told = {"diameter": DIAMETER_A, "pixel_size": PIXEL_A, "threads": 1, "device": "cpu"}

    def run(out: str) -> None:
        host = FolderHost(project / out, EXEMPLARS, pixel_size=PIXEL_A)
        execute(host, lambda: run_fewshot(host, FewshotSettings(encoder=version, **told)))

    with pytest.raises(Enough):
        run("out")
    shelf.add("mae-tiny-2", encoder(2))
    shelf.add("general-2", load_model("blob"))
    shelf.drop(version)
    with caplog.at_level(logging.INFO), pytest.raises(Enough):
        run("out")
    encodes = version.startswith("mae")
    assert asked == [first.digest if encodes else GENERAL_1] * 2
    method = "cryomae" if encodes else "pu"
    assert f"method: {method}, which the model {version} is for" in caplog.text
    with pytest.raises(ModelError, match=f"no {version} comes with this version|neither a file"):
        run("new")


def test_the_report_of_few_shot_names_the_version(
    project: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Recipe(epoch_steps=3, tuning_epochs=1, few_epochs=1, tiles=2, outputs=5)
    monkeypatch.setattr(method_of, "train_picker", partial(train_picker, recipe=short))
    host = FolderHost(project / "out", EXEMPLARS, pixel_size=PIXEL_A)
    told = FewshotSettings(diameter=DIAMETER_A, pixel_size=PIXEL_A, threads=1, device="cpu")
    run_fewshot(host, told)
    record = json.loads((project / "out" / "run.json").read_text())
    assert record["shipped"] == {"general": {"version": "general-1", "digest": GENERAL_1}}
    assert ("started from", "general-1") in summary_rows(record)
    run_select(FolderHost(project / "out"), "0")
    again = json.loads((project / "out" / "run.json").read_text())
    assert again["settings"]["threshold"] == "0" and again["shipped"] == record["shipped"]


def test_the_licence_of_a_model_of_exemplars(
    project: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Said or changed later, it is on the card, and nothing is trained again."""
    short = Recipe(epoch_steps=3, tuning_epochs=1, few_epochs=1, tiles=2, outputs=5)
    monkeypatch.setattr(method_of, "train_picker", partial(train_picker, recipe=short))

    def licence(**more: Any) -> str:
        host = FolderHost(project / "out", EXEMPLARS, pixel_size=PIXEL_A)
        asked = {"diameter": DIAMETER_A, "pixel_size": PIXEL_A, "threads": 1, "device": "cpu"}
        made = run_fewshot(host, FewshotSettings(**asked, **more)).model
        assert load_model(str(project / "out" / "model")).digest == made.digest
        return made.card.license

    told = "derived from general-1 (BSD-3-Clause); licence of this model: "
    assert licence() == told + "not stated"
    with caplog.at_level(logging.INFO):
        assert licence(license="CC-BY-4.0") == told + "CC-BY-4.0"
    assert licence() == told + "CC-BY-4.0"
    assert "the model that this job made of the same exemplars before" in caplog.text


def test_a_name_is_settled_once_and_its_copy_is_the_model(tmp_path: Path, shelf: Shelf) -> None:
    claim_output_folder(tmp_path / "job", "pick")
    models = JobModels(tmp_path / "job")
    assert models.used == {}
    looked = JobModels(tmp_path / "job", look=True)
    assert looked.picking("general").digest == GENERAL_1
    assert not (tmp_path / "job" / "models").exists()
    model = models.picking("general")
    copy = load_model(str(tmp_path / "job" / "models" / "general-1"))
    assert model.digest == copy.digest == GENERAL_1
    for one in (models, looked):
        assert one.picking("general") is one.picking("general")
    shelf.add("general-2", load_model("blob"))
    assert JobModels(tmp_path / "job", look=True).picking("general").digest == GENERAL_1
    assert JobModels(tmp_path / "job").picking("general").digest == GENERAL_1
    assert JobModels(tmp_path / "new", look=True).picking("general").digest != GENERAL_1


def test_one_job_may_work_with_several(tmp_path: Path, shelf: Shelf) -> None:
    claim_output_folder(tmp_path, "iterate")
    models = JobModels(tmp_path)
    models.picking("general"), models.picking("blob"), models.pruner("pruner")
    assert {name: one["version"] for name, one in models.used.items()} == {
        "general": "general-1",
        "blob": "blob",
        "pruner": "pruner-1",
    }
    assert sorted(p.name for p in (tmp_path / "models").iterdir()) == sorted(
        ["blob", "general-1", "names.json", "pruner-1"]
    )
    with pytest.raises(ModelError, match=r"pruner-1 is no picking model; those .*: general, blob"):
        models.picking("pruner-1")


def test_what_a_killed_write_leaves_does_no_harm(tmp_path: Path, shelf: Shelf) -> None:
    """Killed between the copy and the name: nothing was settled, and nothing picked."""
    claim_output_folder(tmp_path, "pick")
    JobModels(tmp_path).picking("general")
    (tmp_path / "models" / "names.json").unlink()
    (tmp_path / "models" / "general-1" / ".model.safetensors.77.tmp").write_bytes(b"half")
    shelf.add("general-2", load_model("blob"))
    again = JobModels(tmp_path)
    assert again.picking("general").digest == load_model("blob").digest
    assert not list((tmp_path / "models").rglob("*.tmp"))
    assert VERSIONS["general"][-1] == version_of("general") == "general-2"


def test_a_folder_of_ones_own_called_like_a_model_of_another_kind(
    tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    claim_output_folder(tmp_path, "iterate")
    models = JobModels(tmp_path)
    models.picking("general")
    load_model("blob").save(tmp_path / "pruner")
    tiny_pruner().save(tmp_path / "general")
    assert models.picking("pruner").digest == load_model("blob").digest
    assert models.pruner("general").digest == tiny_pruner().digest
    assert list(models.used) == ["general"] and models.used["general"]["version"] == "general-1"
    with pytest.raises(ModelError, match=r"mae-tiny is no pruner; those that come .* are: pruner"):
        models.pruner("mae-tiny")
