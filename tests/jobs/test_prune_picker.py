"""Pruning and verifying by a picking network's word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prune_project import ROWS, prune, settings, table, write_particles, write_project
from tiny_pruner import PIXEL_A, tiny_pruner

from frostpick.models.card import CalibrationSpec
from frostpick.models.shipped import BLOB, load_model
from frostpick.settings import VerifySettings
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.tasks.prune.run import run_verify


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])
    write_project(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A pruner whose own network says next to nothing; the blob filter decides."""
    dumb = CalibrationSpec(slope=1e-6, offset=BLOB.calibration.offset)
    pruner = tiny_pruner()
    pruner = pruner.refitted(
        pruner.card.model_copy(update={"calibration": dumb}), pruner.network.state_dict()
    )
    folder = tmp_path_factory.mktemp("asking")
    pruner.asking(load_model("blob"), BLOB.calibration.slope).save(folder)
    return str(folder)


def test_a_picker_without_labels_tells_discs_from_ice(project: Path, asking: str) -> None:
    """What is known of the pictures, from picks and from a stack, by prune and by verify."""
    prune(project, settings(asking))
    kept = [(row["keep"] == "1") for row in table(project / "out/scores.csv")]
    told = [why for *_, why in ROWS]
    sure = [n for n, why in enumerate(told) if why not in ("duplicate", "edge", "not read")]
    assert [kept[n] for n in sure] == [not told[n] for n in sure]
    prune(project, settings(str(project / "out")), "again")  # the pruner that the job kept
    assert table(project / "again/scores.csv") == table(project / "out/scores.csv")
    host = FolderHost(
        project / "v", {"micrographs": ["mics"], "picks": ["picks.csv"]}, pixel_size=PIXEL_A
    )
    told_to = settings(asking).model_dump(include=set(VerifySettings.model_fields))
    execute(host, lambda: run_verify(host, VerifySettings(**told_to)))
    scores = [row["score"] for row in table(project / "v/scores.csv")]
    assert [float(scores[n]) >= 0 for n in sure] == [not told[n] for n in sure]
    source = write_particles(project)
    good = json.loads((project / "truth.json").read_text())
    prune(project, settings(asking), "stack", picks=(), micrographs=(), particles=source)
    assert [row["keep"] == "1" for row in table(project / "stack/scores.csv")] == good
