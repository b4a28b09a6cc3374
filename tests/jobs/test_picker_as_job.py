"""A `Picker` gives what a job of ``pick`` gives of the same file, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from small_protein import DIAMETER_A, small_protein

import frostpick
import frostpick_jobs
from frostpick.types import Picks
from frostpick_jobs.tasks.pick import finish

OWN = {"device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def micrograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One micrograph of a made-up protein of 140 A, with 25 of it."""
    folder = tmp_path_factory.mktemp("simulated")
    frostpick_jobs.write_dataset(folder, small_protein(1))
    (path,) = (folder / "micrographs").iterdir()
    return path


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])


def same(job: Picks, own: Any) -> bool:
    names = ("x_px", "y_px", "score", "probability", "selected")
    return all(np.array_equal(getattr(job, one), getattr(own, one)) for one in names)


def test_picks_and_selection_are_those_of_a_job(micrograph: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = {"diameter": DIAMETER_A, **OWN}
    first = "per-micrograph=7"
    frostpick_jobs.pick(out, micrographs=micrograph, threshold=first, **asked)
    model = frostpick.load_model("general")
    with mrcfile.open(micrograph) as file:
        pixels = file.data.copy()
    for rule, count in ((first, 7), ("p=0.5", None), ("-1.5", None), ("fraction=0.2", None)):
        if rule != first:
            frostpick_jobs.select(out, rule)
        (found,) = frostpick_jobs.picks_of(out).values()
        picker = frostpick.Picker(model, **asked, threshold=rule)
        assert same(found, picker.pick(micrograph))
        assert count is None or found.selected.sum() == count
        assert 0 < found.selected.sum() < len(found)
    read = picker.pick(micrograph)
    assert same(found, picker.pick(pixels, pixel_size_A=read.pixel_size_A))


def test_the_diameter_that_it_finds_is_that_of_a_job(micrograph: Path, tmp_path: Path) -> None:
    asked = {"diameter": "auto", "threshold": "p=0.5", **OWN}
    result = frostpick_jobs.pick(tmp_path / "out", micrographs=micrograph, **asked)
    (found,) = frostpick_jobs.picks_of(result).values()
    picker = frostpick.Picker(**asked)
    own = picker.pick(micrograph)
    assert same(found, own) and own.diameter_A == found.diameter_A == picker.diameter_A
    assert DIAMETER_A / 1.25 <= picker.diameter_A <= DIAMETER_A * 1.25
