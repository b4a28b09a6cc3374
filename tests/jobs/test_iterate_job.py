"""Iterating jobs that begin with a model alone, through the programs that people start."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_images import draw_spots, write_mrc
from tiny_pruner import tiny_pruner

from frostpick.errors import InputError
from frostpick.iterating import iterate as engine
from frostpick.iterating.verification import SureRule
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.model import load_pruner
from frostpick.models.registry import build_network
from frostpick.models.versions import version_of
from frostpick.settings import IterateSettings
from frostpick.training.picker.recipe import Recipe
from frostpick_jobs import api
from frostpick_jobs.cli import relion
from frostpick_jobs.cli.relion_job import read_command_line
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.job.report import summary_rows
from frostpick_jobs.tasks import iterate as iterate_task
from frostpick_jobs.tasks.declarations import ITERATE

OPTICS = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
opticsGroup1 1 2.000000

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
"""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(epoch_steps=5, tuning_epochs=1, tiles=2, outputs=5)
    monkeypatch.setattr(engine, "Recipe", lambda: recipe)
    monkeypatch.setattr(engine, "SureRule", lambda: SureRule(confident=0.0, spread=1.0))
    monkeypatch.setattr(iterate_task, "picked_figures", lambda *a: [])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three micrographs with dark discs, and a model that has learned nothing."""
    for k in range(3):
        rng = np.random.default_rng(k)
        pixels = rng.normal(0, 1, (160, 180))
        draw_spots(pixels, rng.uniform(20, 140, (5, 2)), 3.0)
        write_mrc(tmp_path / "Micrographs" / f"m{k}.mrc", pixels.astype(np.float32))
    torch.manual_seed(0)
    spec = NetworkSpec(name="conv31", arguments={"units": 2, "norm": "none"})
    network = build_network(spec.name, spec.arguments).eval()
    PickingModel(ModelCard(network=spec), network).save(tmp_path / "start")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def columns(path: Path) -> list[str]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle).fieldnames or ())


QUICK: dict[str, Any] = {"diameter": 64.0, "threads": 1, "device": "cpu", "rounds": 1}


def test_a_folder_needs_no_picks_where_a_model_is_given(project: Path) -> None:
    done = api.iterate(
        "out", micrographs="Micrographs", start_model="start", pixel_size=2.0, **QUICK
    )
    assert done.model_path is not None
    model = PickingModel.load(done.model_path)
    assert model.card.parent == PickingModel.load(project / "start").digest
    assert model.card.diameter_A == 64.0
    names = columns(project / "out" / "rounds.csv")
    assert "new_particles" in names and "held_out_recall" not in names
    first = PickingModel.load(project / "out" / "rounds" / "round_00")
    assert first.card.parent is None and first.card.network.name == "conv31"
    again = api.iterate(
        "out", micrographs="Micrographs", start_model="start", pixel_size=2.0, **QUICK
    )
    assert again.summary.model.digest == model.digest
    rows = dict(summary_rows(json.loads((project / "out" / "run.json").read_text())))
    assert rows["model"] == f"as of round 1 of 1 ({model.digest[:12]})"
    assert rows["started from"] == "start" and rows["second opinion"] == version_of("pruner")
    assert rows["model"] in (project / "out" / "report.html").read_text()


def test_who_gives_the_second_opinion(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def enough(*args: Any, verifier: Any, **others: Any) -> Any:
        asked.append(verifier and verifier.key)
        raise InputError("enough")

    monkeypatch.setattr(iterate_task, "iterate_picker", enough)
    own = tiny_pruner()
    own.save(project / "own")
    told = {**QUICK, "start_model": "start", "pixel_size": 2.0}
    for number, pruner in enumerate(({}, {"pruner": "none"}, {"pruner": "own"})):
        with pytest.raises(InputError, match="enough"):
            api.iterate(f"out{number}", micrographs="Micrographs", **told, **pruner)
    with pytest.raises(InputError, match="enough"):
        api.train("train", micrographs="Micrographs", **told)
    shipped = f"{load_pruner('pruner').digest} 64 A"
    assert asked == [shipped, None, f"{own.digest} 64 A", shipped]


def test_neither_picks_nor_a_model_is_told(project: Path) -> None:
    with pytest.raises(InputError, match="--labels"):
        api.iterate("out", micrographs="Micrographs", pixel_size=2.0, start_model="none", **QUICK)


def test_a_relion_job_without_coordinates(project: Path) -> None:
    rows = "".join(f"Micrographs/m{k}.mrc 1\n" for k in range(3))
    (project / "m.star").write_text(OPTICS + rows + "\n")
    job = project / "External" / "job002"
    words = ["--o", "External/job002/", "--in_mics", "m.star", "--start-model", "start", "--j", "1"]
    words += ["--diameter", "64", "--rounds", "1", "--device", "cpu"]
    assert relion.guarded("iterate", words) == 0
    assert (job / markers.SUCCESS).exists()
    assert PickingModel.load(job / "model").card.diameter_A == 64.0
    assert "model/model.json" in (job / "RELION_OUTPUT_NODES.star").read_text()
    assert {path.name for path in (job / "rounds" / "round_01").iterdir()} == {
        "model.json",
        "model.safetensors",
        "picks.csv",
    }


def test_relion_needs_coordinates_only_without_a_model(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "m.star").write_text("\ndata_\n\nloop_\n_rlnMicrographName #1\na.mrc\n\n")
    words = ["--o", "External/job003/", "--in_mics", "m.star", "--diameter", "64"]
    words += ["--start-model", "none"]
    assert relion.guarded("iterate", words) == 1
    assert "Input coordinates" in capsys.readouterr().err


def test_labels_of_the_relion_job() -> None:
    words = [
        "--o",
        "External/job002/",
        "--rounds",
        "5",
        "--pruner",
        "none",
        "--start-model",
        "general",
    ]
    settings = read_command_line(ITERATE, words)[1]
    assert isinstance(settings, IterateSettings)
    assert (settings.rounds, settings.pruner, settings.start_model) == (5, "none", "general")
