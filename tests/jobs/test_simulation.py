"""Simulated files: what a second call leaves alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from frostpick.errors import InputError
from frostpick.simulate import SimulationSettings
from frostpick.types import LocalFile
from frostpick_jobs.commands.demo import run_demo
from frostpick_jobs.commands.simulate import NOTES, write_dataset

pytestmark = pytest.mark.quick

SETTINGS = SimulationSettings(micrographs=2, size=128, seed=3)


def fingerprints(folder: Path) -> dict[str, str]:
    return {p.name: LocalFile(p).fingerprint() for p in sorted(folder.iterdir())}


def test_the_same_micrographs_are_left_alone(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, SETTINGS).micrographs
    before = fingerprints(folder)
    assert list(before) == ["sim_000.mrc", "sim_001.mrc"]
    write_dataset(tmp_path, SETTINGS)
    assert fingerprints(folder) == before


def test_others_and_damaged_ones_are_written_anew(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, SETTINGS).micrographs
    before = fingerprints(folder)
    content = (folder / "sim_001.mrc").read_bytes()
    (folder / "sim_001.mrc").write_bytes(content[:2000])
    write_dataset(tmp_path, SETTINGS)
    assert (folder / "sim_001.mrc").read_bytes() == content
    assert fingerprints(folder)["sim_000.mrc"] == before["sim_000.mrc"]
    write_dataset(tmp_path, SETTINGS.model_copy(update={"seed": 4}))
    assert fingerprints(folder)["sim_000.mrc"] != before["sim_000.mrc"]


MINE = "micrograph,x_px,y_px,remark: three weeks of manual picking\n"


@pytest.mark.parametrize(
    "name", ["particles.csv", "particles.star", "decoys.csv", "micrographs/sim_001.mrc"]
)
def test_what_was_not_simulated_here_is_left_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(MINE)
    for _ in range(2):
        with pytest.raises(InputError, match=f"{name}: already there"):
            write_dataset(tmp_path, SETTINGS)
    assert path.read_text() == MINE
    assert [p.name for p in tmp_path.rglob("sim_*")] in ([], ["sim_001.mrc"])
    write_dataset(tmp_path, SETTINGS, overwrite=True)
    assert path.read_bytes() != MINE.encode()
    write_dataset(tmp_path, SETTINGS.model_copy(update={"seed": 4}))


def test_a_data_set_of_before_there_were_notes_is_its_own(tmp_path: Path) -> None:
    write_dataset(tmp_path, SETTINGS)
    before = fingerprints(tmp_path / "micrographs")
    shutil.rmtree(tmp_path / NOTES)
    write_dataset(tmp_path, SETTINGS)
    assert fingerprints(tmp_path / "micrographs") == before


@pytest.mark.parametrize("name", ["report.html", "labels.csv"])
def test_the_demo_looks_before_it_begins(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(MINE)
    with pytest.raises(InputError, match=f"{name}: already there"):
        run_demo(tmp_path)
    assert (tmp_path / name).read_text() == MINE and not (tmp_path / "training").exists()
