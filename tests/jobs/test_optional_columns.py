"""A selector that fills the optional columns: all of a job carries them, and reads them back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc
from tiny_pruner import DIAMETER_A, PIXEL_A

from frostpick.picking.peaks import Peaks
from frostpick.picking.selector import Selector
from frostpick.types import Picks
from frostpick_jobs import api
from frostpick_jobs.cli import relion, relion_job
from frostpick_jobs.formats import (
    PickTable,
    read_picks,
    read_star_blocks,
    write_micrograph_star,
)

TOLD: dict[str, Any] = {"model": "blob", "diameter": 64, "threads": 1, "device": "cpu"}
#: Directions of the two lines of blobs in each micrograph.
ALONG = {1: np.degrees(np.arctan2(40, 80)), 2: 90.0}
LINES = {1: [(40.0, 40.0), (80.0, 60.0), (120.0, 80.0)], 2: [(160.0, 110.0), (160.0, 150.0)]}


@pytest.fixture
def micrographs(tmp_path: Path) -> Path:
    """Two micrographs with two lines of blobs, and one with none."""
    folder = tmp_path / "micrographs"
    for name in ("a", "empty", "z"):
        places = [place for line in LINES.values() for place in line] * (name != "empty")
        image = spots_on_noise((190, 200), places, ord(name[0]), depth=6)
        write_mrc(folder / f"{name}.mrc", image, 2.0)
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
    api.pick(out, micrographs=micrographs, **TOLD, threshold=0.0, star_per_micrograph=True)
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
    api.pick(out, micrographs=micrographs, **TOLD, threshold=0.0, star_per_micrograph=True)
    assert (out / "picks.csv").read_text().splitlines()[0] == (
        "micrograph,x_px,y_px,score,probability,selected"
    )
    for path in [out / "picks.star", *(out / "star").glob("*.star")]:
        labels = [line.split()[0] for line in path.read_text().splitlines() if line[:1] == "_"]
        assert labels[-1] == "_rlnAnglePsi" and "_rlnHelicalTubeID" not in labels
    for path in out.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as archive:
            assert set(archive.files) <= {"about", "picks", "preview"}


DISCS = [(60, 50), (150, 120), (100, 150)]
#: Line and direction of each disc, as RELION tells them: the prior of psi turns the other way.
TUBES, PRIORS = [7, 7, 9], [-30.0, -30.0, 45.0]


@pytest.fixture
def tubes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Discs on a micrograph of a RELION project, as helical coordinates."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])
    monkeypatch.setattr(relion_job, "log_to_run_files", lambda: None)
    (tmp_path / "mics").mkdir()
    write_mrc(tmp_path / "mics/a.mrc", spots_on_noise((192, 224), DISCS, 40), PIXEL_A)
    (tmp_path / "mics.star").write_text(
        "\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n"
        f"1 {PIXEL_A}\n\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
        "mics/a.mrc 1\n\n"
    )
    labels = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    labels += ("rlnHelicalTubeID", "rlnAnglePsiPrior")
    rows = [
        f"mics/a.mrc {x} {y} {tube} {prior}\n"
        for (x, y), tube, prior in zip(DISCS, TUBES, PRIORS, strict=True)
    ]
    header = "".join(f"_{label} #{n}\n" for n, label in enumerate(labels, 1))
    path = tmp_path / "tubes.star"
    path.write_text(f"\ndata_\n\nloop_\n{header}{''.join(rows)}\n")
    return path


def of_discs(path: Path) -> dict[tuple[float, float], tuple[str, ...]]:
    """Return what a STAR file of picks says of each place, as text."""
    (table,) = read_star_blocks(path).values()
    names = ("rlnHelicalTubeID", "rlnAngleTiltPrior", "rlnAnglePsiPrior", "rlnAnglePsi")
    at = zip(*(map(float, table.columns[f"rlnCoordinate{axis}"]) for axis in "XY"), strict=True)
    told = zip(*(table.columns[name] for name in names), strict=True)
    return dict(zip(at, told, strict=True))


EXPECTED = {
    (float(x), float(y)): (str(tube), "90.000000", f"{prior:.6f}", f"{prior:.6f}")
    for (x, y), tube, prior in zip(DISCS, TUBES, PRIORS, strict=True)
}


def test_pruned_and_verified_picks_keep_them_on_a_folder(tubes: Path, pruner: str) -> None:
    told: dict[str, Any] = {"pruner": pruner, "diameter": DIAMETER_A, "threads": 1, "device": "cpu"}
    given: dict[str, Any] = {"micrographs": "mics", "picks": tubes}
    api.prune("pruned", **given, **told, threshold="0", four_rotations=False)
    kept, rejected = (of_discs(Path("pruned") / f"{one}.star") for one in ("kept", "rejected"))
    assert kept and kept | rejected == EXPECTED
    api.verify("verified", **given, **told)
    assert of_discs(Path("verified/verified.star")) == EXPECTED


@pytest.mark.parametrize("task", ["prune", "verify"])
def test_pruned_and_verified_picks_keep_them_in_relion(tubes: Path, pruner: str, task: str) -> None:
    words = ["--o", "External/job002/", "--in_mics", "mics.star", "--in_coords", "tubes.star"]
    words += ["--pruner", pruner, "--diameter", str(DIAMETER_A), "--device", "cpu", "--j", "1"]
    words += ["--threshold", "-100"] if task == "prune" else []
    assert relion.guarded(task, words) == 0
    assert of_discs(Path("External/job002/mics/a_autopick.star")) == EXPECTED


def test_a_direction_that_is_not_known_is_no_number_for_relion(tmp_path: Path) -> None:
    picks = Picks.from_xy("a", [1, 2], [3, 4], filament=[1, 0], angle_deg=[10.0, np.nan])
    write_micrograph_star(tmp_path / "a.star", picks, None)
    assert {found[2] for found in of_discs(tmp_path / "a.star").values()} == {
        "-10.000000",
        "0.000000",
    }
