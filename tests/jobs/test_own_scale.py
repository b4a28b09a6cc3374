"""A picking job with the shipped model finds the diameter itself, and tells of a wrong one."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from small_protein import DIAMETER_A, small_protein

import frostpick_jobs
from frostpick.picking.scale_curve import ScaleCurve
from frostpick_jobs.cli import relion
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.tasks.pick import finish


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two micrographs of a made-up protein of 140 A."""
    folder = tmp_path_factory.mktemp("set")
    frostpick_jobs.write_dataset(folder, small_protein(2))
    return folder / "micrographs"


def test_auto_then_a_wrong_one(
    micrographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    own = {"threads": 1, "device": "cpu"}
    frostpick_jobs.pick(tmp_path / "auto", micrographs=micrographs, diameter="auto", **own)
    record = json.loads((tmp_path / "auto/run.json").read_text())
    found = record["diameter_A"]
    assert DIAMETER_A / 1.25 <= found <= DIAMETER_A * 1.25
    page = (tmp_path / "auto/report.html").read_text()
    assert f"{found:g} A, found in the micrographs" in page and "Diameter</h2>" in page
    assert not record.get("warnings")

    with caplog.at_level(logging.WARNING, "frostpick_jobs"):
        frostpick_jobs.pick(tmp_path / "half", micrographs=micrographs, diameter=70, **own)
    (warning,) = json.loads((tmp_path / "half/run.json").read_text())["warnings"]
    assert warning.startswith("a diameter of 70 A does not fit: on 2 micrographs ")
    assert f"give --diameter {found:.0f} or auto" in warning and warning in caplog.text
    # told again from what was kept, without another look
    monkeypatch.setattr("frostpick_jobs.tasks.own_scale.check_diameter", None)
    frostpick_jobs.pick(tmp_path / "half", micrographs=micrographs, diameter=70, **own)
    assert json.loads((tmp_path / "half/run.json").read_text())["warnings"] == [warning]


def test_a_relion_job_takes_the_word(
    micrographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = np.array([4.0, 50.0, 6.0])
    curve = ScaleCurve(np.array([112.0, 140.0, 175.0]), found, found, 2)
    monkeypatch.setattr("frostpick_jobs.tasks.own_scale.find_diameter", lambda *a: curve)
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Micrographs").symlink_to(micrographs)
    names = [f"Micrographs/{path.name}" for path in sorted(micrographs.iterdir())]
    text = "data_\n\nloop_\n_rlnMicrographName #1\n" + "\n".join(names) + "\n"
    (tmp_path / "mics.star").write_text(text)
    given = ["--o", "External/job001/", "--in_mics", "mics.star", "--diameter", "auto"]
    assert relion.guarded("pick", [*given, "--model", "blob", "--device", "cpu", "--j", "1"]) == 0
    assert (tmp_path / "External/job001" / markers.SUCCESS).exists()
    record = json.loads((tmp_path / "External/job001/run.json").read_text())
    assert record["diameter_A"] == 140.0
