"""Simulated files: what a second call leaves alone."""

from __future__ import annotations

from pathlib import Path

from frostpick.simulate import SimulationSettings
from frostpick.types import LocalFile
from frostpick_jobs.commands.simulate import write_dataset

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
