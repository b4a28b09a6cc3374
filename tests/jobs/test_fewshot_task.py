"""frostpick fewshot on a folder and in RELION: picks, a model that pick takes, one life cycle."""

from __future__ import annotations

import csv
import json
import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from made_images import draw_discs, noise, write_mrc
from plain_work import Backwards

from frostpick import fewshot as method_of
from frostpick.errors import ConfigError, InputError, JobStopped, LabelError
from frostpick.models.cryomae import PRESETS, Preset
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.picking_model import PickingModel
from frostpick.settings import FewshotSettings, PickSettings, PretrainSettings
from frostpick.training.cryomae import trainer as fewshot_trainer
from frostpick.training.cryomae.recipe import FewshotRecipe
from frostpick.training.cryomae.train import train_fewshot
from frostpick.training.picker import training_loop
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.train import train_picker
from frostpick_jobs.cli.relion import guarded
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.tasks import fewshot, run_fewshot, run_pick, run_pretrain
from frostpick_jobs.tasks.select import run_select

DIAMETER_PX, PIXEL_A, SIDE = 28.0, 4.0, (180, 200)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """The code of the task with networks and schedules that take seconds."""
    recipe = FewshotRecipe(steps=12, positives=6, rate=3e-3, measure_every=6, least=12)
    short = Recipe(units=2, epoch_steps=5, few_epochs=2, tuning_epochs=2, tiles=4, outputs=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "tiny", Preset(2, 32, 2, 1, 16, 2))  # type: ignore[arg-type]
        patch.setattr(fewshot_trainer, "STANDARDS", 64)
        patch.setattr(fewshot_trainer, "ASIDE", 32)
        patch.setattr(fewshot, "train_fewshot", partial(train_fewshot, recipe=recipe))
        patch.setattr(method_of, "train_picker", partial(train_picker, recipe=short))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three micrographs of discs, the places on the first in ``exemplars.csv`` and a STAR file."""
    folder = tmp_path_factory.mktemp("data")
    for k in range(3):
        image = noise(SIDE, k)
        xy = [(30.0 + 45 * i, 28.0 + 40 * j) for i in range(4) for j in range(4)]
        draw_discs(image, xy[k::2], 1.2, 12)
        write_mrc(folder / f"m{k}.mrc", image.astype(np.float32))
        if k == 0:
            with (folder / "exemplars.csv").open("w", newline="") as text:
                rows = csv.writer(text)
                rows.writerow(["micrograph", "x_px", "y_px"])
                rows.writerows(("m0.mrc", x, y) for x, y in xy[k::2])
    return folder


def host(data: Path, out: Path, exemplars: bool = True) -> FolderHost:
    given = {"labels": [data / "exemplars.csv"]} if exemplars else {}
    inputs = {"micrographs": [data], **given}
    return FolderHost(out, inputs, pixel_size=PIXEL_A, star_per_micrograph=True)


def settings(**others: object) -> FewshotSettings:
    values = {
        "diameter": DIAMETER_PX * PIXEL_A,
        "pixel_size": PIXEL_A,
        "device": "cpu",
        "threads": 1,
        "method": "cryomae",
        "encoder": "none",
        **others,
    }
    return FewshotSettings.model_validate(values)


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    summary = run_fewshot(host(data, out), settings())
    assert summary.micrographs == 3 and not summary.failed
    return out


def test_it_writes_what_pick_writes_and_a_model(done: Path) -> None:
    with (done / "picks.csv").open() as text:
        names = {row["micrograph"] for row in csv.DictReader(text)}
    assert names <= {"m0.mrc", "m1.mrc", "m2.mrc"} and names
    for name in ("m0", "m1", "m2"):
        assert (done / "star" / f"{name}.mrc.star").exists()
    record = json.loads((done / "run.json").read_text())
    assert record["task"] == "fewshot" and record["method"] == "cryomae"
    assert record["exemplars"] == 8 and record["training"]["steps"] == 12
    page = (done / "report.html").read_text()
    for picture in ("Similarity of every place", "Descriptors of windows", "nearest neighbours"):
        assert picture in page


def test_pick_takes_the_model_and_finds_the_same(data: Path, done: Path, tmp_path: Path) -> None:
    model = PickingModel.load(done / "model")
    assert model.card.kind == "exemplar"
    picking = PickSettings(model=str(done / "model"), pixel_size=PIXEL_A, device="cpu", threads=1)
    run_pick(FolderHost(tmp_path, {"micrographs": [data]}, pixel_size=PIXEL_A), picking)
    assert (tmp_path / "picks.csv").read_text() == (done / "picks.csv").read_text()


def test_any_executor_picks(data: Path, done: Path, tmp_path: Path) -> None:
    toy = Backwards(ThreadPoolExecutor)  # another process does not know the preset
    picking = PickSettings(model=str(done / "model"), pixel_size=PIXEL_A, device="cpu", threads=1)
    run_pick(
        FolderHost(tmp_path / "pick", {"micrographs": [data]}, pixel_size=PIXEL_A), picking, toy
    )
    assert (tmp_path / "pick/picks.csv").read_text() == (done / "picks.csv").read_text()
    shutil.copytree(done, tmp_path / "few")
    again = run_fewshot(host(data, tmp_path / "few"), settings(border=0.2), toy)
    assert again.micrographs == 3
    assert [one.id for one in toy.done] == ["m2.mrc", "m1.mrc", "m0.mrc"] * 2


def test_run_again_changes_nothing(data: Path, done: Path) -> None:
    before = {name: (done / name).read_bytes() for name in ("picks.csv", "model/model.safetensors")}
    run_fewshot(host(data, done), settings())
    assert {name: (done / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("method", ["cryomae", "pu"])
def test_new_micrographs_are_picked_with_the_model_that_was_made(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
) -> None:
    def never(*args: object, **others: object) -> None:
        raise AssertionError("trained again")

    project, out = tmp_path / "data", tmp_path / "out"
    project.mkdir()
    for name in ("m0.mrc", "m1.mrc", "exemplars.csv"):
        shutil.copy2(data / name, project)
    run_fewshot(host(project, out), settings(method=method))
    weights = (out / "model" / "model.safetensors").read_bytes()
    stars = {name: (out / "star" / f"{name}.mrc.star").read_bytes() for name in ("m0", "m1")}
    told = json.loads((out / "run.json").read_text())
    shutil.copy2(data / "m2.mrc", project)
    with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
        patch.setattr(fewshot, "train_fewshot", never)
        patch.setattr(method_of, "train_picker", never)
        # what only the picking depends on may change too
        assert run_fewshot(host(project, out), settings(method=method)).micrographs == 3
    assert "the model that this job made of the same exemplars before" in caplog.text
    assert (out / "model" / "model.safetensors").read_bytes() == weights
    assert {n: (out / "star" / f"{n}.mrc.star").read_bytes() for n in stars} == stars
    assert (out / "star" / "m2.mrc.star").exists()
    again = json.loads((out / "run.json").read_text())
    assert [again[n] for n in ("training", "curve")] == [told[n] for n in ("training", "curve")]
    picture = "Similarity of every place" if method == "cryomae" else "Training: loss"
    assert picture in (out / "report.html").read_text()


def test_other_exemplars_make_another_model_and_say_so(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(data, project)
    run_fewshot(host(project, out), settings())
    lines = (project / "exemplars.csv").read_text().splitlines(keepends=True)
    (project / "exemplars.csv").write_text("".join(lines[:-1]))
    with mrcfile.open(project / "m0.mrc", "r+") as handle:  # another image under the exemplars
        handle.data[:] += np.random.default_rng(5).normal(0, 0.1, SIDE).astype(np.float32)
    with caplog.at_level(logging.INFO):
        run_fewshot(host(project, out), settings())
    said = "the exemplars and the micrographs changed since the training of this job ended: "
    assert caplog.messages.count(f"{said}training anew") == 1
    run_fewshot(host(project, tmp_path / "fresh"), settings())
    models = [PickingModel.load(folder / "model").digest for folder in (out, tmp_path / "fresh")]
    assert models[0] == models[1]


def test_an_unfinished_training_with_other_settings_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of fewshot, also where train's own settings stand behind them."""

    def stop(one: object) -> None:
        raise JobStopped("stopped by the test")

    with monkeypatch.context() as patch:
        patch.setattr(training_loop, "SAVE_EVERY_S", -1.0)
        patch.setattr(training_loop.TrainingLoop, "_measure", stop)
        with pytest.raises(JobStopped):
            run_fewshot(host(data, tmp_path), settings(method="pu"))
    words = "no --steps and not --steps 40; give those again to go on with it, or throw it away"
    with pytest.raises(ConfigError, match=f"{words} with --restart"):
        run_fewshot(host(data, tmp_path), settings(method="pu", steps=40))
    run_fewshot(host(data, tmp_path), settings(method="pu", steps=40, restart=True))


def test_few_exemplars_are_told_of(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for method in ("pu", "cryomae"):
        with caplog.at_level(logging.WARNING):
            run_fewshot(host(data, tmp_path / method), settings(method=method))
    few = [one for one in caplog.messages if one.startswith("8 exemplars are few: ")]
    measured = ("from nothing, 15 had an average precision of .73", "15 had a best F1 of .90")
    assert len(few) == 2 and all(
        words in one and "mark about 15" in one for one, words in zip(few, measured, strict=True)
    )


def test_select_chooses_another_threshold(data: Path, tmp_path: Path) -> None:
    run_fewshot(host(data, tmp_path), settings(threshold="5"))
    strict = (tmp_path / "picks.csv").read_text()
    run_select(FolderHost(tmp_path), "-5")
    assert (tmp_path / "picks.csv").read_text() != strict
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["task"] == "fewshot" and record["exemplars"] == 8
    assert (tmp_path / "model" / "model.safetensors").exists()
    page = (tmp_path / "report.html").read_text()
    for picture in ("Similarity of every place", "Descriptors of windows", "nearest neighbours"):
        assert picture in page


def test_pu_trains_a_network_on_the_exemplars(data: Path, tmp_path: Path) -> None:
    run_fewshot(host(data, tmp_path), settings(method="pu"))
    assert PickingModel.load(tmp_path / "model").card.kind == "dense"
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["method"] == "pu" and record["training"]["labels"] == 8


def test_missing_exemplars_and_another_job_are_told(data: Path, done: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no exemplars; mark about 15 particles"):
        run_fewshot(host(data, tmp_path, exemplars=False), settings())
    elsewhere = tmp_path / "other.csv"
    elsewhere.write_text("micrograph,x_px,y_px\nm0.mrc,3,3\nm0.mrc,90,90\n")
    two = FolderHost(
        tmp_path / "two", {"micrographs": [data], "labels": [elsewhere]}, pixel_size=PIXEL_A
    )
    with pytest.raises(LabelError, match="at least 3 exemplars"):
        run_fewshot(two, settings())
    with pytest.raises(InputError, match="holds a fewshot job, not a pick job"):
        run_pick(host(data, done), PickSettings(diameter=112, device="cpu", threads=1))


def test_relion_job_leaves_coordinates_a_model_and_its_marker(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Micrographs").symlink_to(data)
    names = [f"Micrographs/m{k}.mrc" for k in range(3)]
    optics = (
        "data_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n"
        f"_rlnMicrographPixelSize #3\nopticsGroup1 1 {PIXEL_A}\n\n"
    )
    (tmp_path / "micrographs.star").write_text(
        optics
        + "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
        + "".join(f"{name} 1\n" for name in names)
    )
    with (data / "exemplars.csv").open() as text:
        marks = [(row["x_px"], row["y_px"]) for row in csv.DictReader(text)]
    (tmp_path / "exemplars.star").write_text(
        optics
        + "data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
        + "_rlnCoordinateY #3\n_rlnOpticsGroup #4\n"
        + "".join(f"{names[0]} {x} {y} 1\n" for x, y in marks)
    )
    job = tmp_path / "External" / "job005"
    status = guarded(
        "fewshot",
        [
            *("--o", "External/job005/", "--in_mics", "micrographs.star"),
            *("--in_parts", "exemplars.star", "--diameter", str(DIAMETER_PX * PIXEL_A)),
            *("--method", "cryomae", "--encoder", "none", "--device", "cpu", "--j", "1"),
        ],
    )
    assert status == 0, list(job.iterdir())
    assert (job / "RELION_JOB_EXIT_SUCCESS").exists()
    assert (job / "Micrographs" / "m1_autopick.star").exists()
    nodes = (job / "RELION_OUTPUT_NODES.star").read_text()
    assert "model/model.json" in nodes and "logfile.pdf" in nodes
    assert PickingModel.load(job / "model").card.kind == "exemplar"


def test_pretrain_makes_the_encoder_that_fewshot_starts_from(data: Path, tmp_path: Path) -> None:
    told = PretrainSettings(
        method="mae", diameter=112, pixel_size=PIXEL_A, device="cpu", threads=1, steps=2, seed=5
    )
    pretraining = FolderHost(tmp_path / "pre", {"micrographs": [data]}, pixel_size=PIXEL_A)
    model = run_pretrain(pretraining, told).model
    assert AutoencoderModel.load(tmp_path / "pre" / "model").digest == model.digest
    assert model.card.trained_on["source"] == "micrographs"
    assert json.loads((tmp_path / "pre" / "run.json").read_text())["curve"][-1]["step"] == 2
    run_fewshot(host(data, tmp_path / "few"), settings(encoder=str(tmp_path / "pre" / "model")))
    made = PickingModel.load(tmp_path / "few" / "model")
    assert made.card.parent == model.digest
    with pytest.raises(ConfigError, match="--diameter"):
        run_pretrain(
            FolderHost(tmp_path / "no", {"micrographs": [data]}),
            PretrainSettings(method="mae", device="cpu", threads=1),
        )
    simulated = run_pretrain(
        FolderHost(tmp_path / "sim"),
        PretrainSettings(method="mae", device="cpu", threads=1, steps=1),
    )
    assert simulated.model.card.trained_on["source"] == "simulated corpus"
