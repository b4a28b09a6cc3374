"""A selector that fills the optional columns: all of a job carries them, and reads them back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from frostpick.picking.peaks import Peaks
from frostpick.picking.selector import Selector
from frostpick_jobs import api
from frostpick_jobs.formats import PickTable, read_picks

TOLD: dict[str, Any] = {"model": "blob", "diameter": 64, "threads": 1, "device": "cpu"}
#: Directions of the two lines of blobs in each micrograph.
ALONG = {1: np.degrees(np.arctan2(40, 80)), 2: 90.0}
LINES = {1: [(40.0, 40.0), (80.0, 60.0), (120.0, 80.0)], 2: [(160.0, 110.0), (160.0, 150.0)]}


@pytest.fixture
def micrographs(tmp_path: Path) -> Path:
    """Two micrographs with two lines of blobs, and one with none."""
    folder = tmp_path / "micrographs"
    folder.mkdir()
    y, x = np.mgrid[:190, :200]
    for name in ("a", "empty", "z"):
        image = np.random.default_rng(ord(name[0])).normal(size=(190, 200))
        for cx, cy in [place for line in LINES.values() for place in line] * (name != "empty"):
            image -= 6 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 128)
        with mrcfile.new(folder / f"{name}.mrc", image.astype(np.float32)) as file:
            file.voxel_size = 2.0
    return folder


def line_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the number of the line that is nearest, ``(n,)``."""
    apart = [
        np.min([np.hypot(x - px, y - py) for px, py in line], axis=0) for line in LINES.values()
    ]
    return 1 + np.argmin(apart, axis=0)


@pytest.fixture
def filaments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The selector knows the lines; nothing else of the job is changed."""
    usual = Selector.peaks

    def peaks(self: Selector, *args: Any, **others: Any) -> Peaks:
        found = usual(self, *args, **others)
        number = line_of(found.x_px, found.y_px)
        angle = np.array([ALONG[n] for n in number.tolist()], np.float64)
        return replace(found, filament=number, angle_deg=angle)

    monkeypatch.setattr(Selector, "peaks", peaks)


def check(table: PickTable, precision: float) -> None:
    assert table.filament is not None and table.angle_deg is not None and len(table) > 0
    np.testing.assert_array_equal(table.filament, line_of(table.x_px, table.y_px))
    expected = [ALONG[n] for n in table.filament.tolist()]
    np.testing.assert_allclose(table.angle_deg, expected, atol=precision)


@pytest.mark.usefixtures("filaments")
def test_from_the_selector_to_the_files_and_from_the_store_again(
    tmp_path: Path, micrographs: Path
) -> None:
    out = tmp_path / "out"
    api.pick(out, micrographs=micrographs, **TOLD, threshold=0.0)
    first = read_picks(out / "picks.csv")
    check(first, 5.001e-4)
    check(read_picks(out / "picks.star"), 5.001e-7)
    assert set(read_picks(out / "picks.star").filament.tolist()) == {1, 2}
    files = sorted((out / "star").glob("*.star"))
    assert len(files) == 3
    for path in files:
        one = read_picks(path)
        if len(one):
            check(one, 5.001e-7)
    stored = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    assert len(stored) == 3

    api.pick(out, micrographs=micrographs, **TOLD, threshold=-100.0)  # nothing is picked anew
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")} == stored
    again = read_picks(out / "picks.csv")
    assert again.selected.all() and not first.selected.all()
    np.testing.assert_array_equal(again.filament, first.filament)
    np.testing.assert_array_equal(again.angle_deg, first.angle_deg)


def test_without_them_no_file_has_them(tmp_path: Path, micrographs: Path) -> None:
    out = tmp_path / "out"
    api.pick(out, micrographs=micrographs, **TOLD, threshold=0.0)
    assert (out / "picks.csv").read_text().splitlines()[0] == (
        "micrograph,x_px,y_px,score,probability,selected"
    )
    for path in [out / "picks.star", *(out / "star").glob("*.star")]:
        labels = [line.split()[0] for line in path.read_text().splitlines() if line[:1] == "_"]
        assert labels[-1] == "_rlnAnglePsi" and "_rlnHelicalTubeID" not in labels
    for path in out.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as archive:
            assert set(archive.files) <= {"about", "picks", "preview"}
