"""A session that grows: what came first decides no threshold, and what was delivered stays.

Micrographs of a made-up protein, simulated blank, with one particle and with many; the truth is
the simulation's own.
"""

from __future__ import annotations

import csv
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import mrcfile
import numpy as np
import pytest

import frostpick_jobs
from frostpick.models.shipped import load_model
from frostpick.simulate import SimulationSettings
from frostpick_jobs.inputs.names import star_path
from frostpick_jobs.tasks.pick import finish

DIAMETER_A, PIXEL_A = 140.0, 5.0
ALIKE = {"family": "compact", "symmetry": "D2", "diameter_A": DIAMETER_A, "seed": 5}
OWN = load_model("general").card.threshold

Pick = Callable[..., frostpick_jobs.PickingResult]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``blank``, ``single`` and ``good`` micrographs, and their truth."""
    folder = tmp_path_factory.mktemp("session")
    plain = {"fragments": False, "aggregates": False, "carbon": False, "size": 384}
    for name, count, particles in (("blank", 1, 0), ("single", 4, 1), ("good", 8, 20)):
        settings = SimulationSettings(
            micrographs=count, particles_per_micrograph=particles, **plain, **ALIKE
        )
        frostpick_jobs.write_dataset(folder / name, settings)
    return folder


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])  # most of the time
    (tmp_path / "micrographs").mkdir()
    return tmp_path


@pytest.fixture
def pick(session: Path) -> Pick:
    def run(**settings: object) -> frostpick_jobs.PickingResult:
        given = {"diameter": DIAMETER_A, "threads": 1, "device": "cpu", **settings}
        given["star_per_micrograph"] = True
        return frostpick_jobs.pick(session / "out", micrographs=session / "micrographs", **given)

    return run


def arrive(session: Path, simulated: Path, kind: str, numbers: Sequence[int]) -> list[str]:
    """Copy micrographs into the session, and return their ids."""
    files = sorted((simulated / kind / "micrographs").iterdir())
    names = [f"{kind}_{number}.mrc" for number in numbers]
    for name, number in zip(names, numbers, strict=True):
        shutil.copy(files[number], session / "micrographs" / name)
    return names


def truth(simulated: Path, kind: str) -> dict[str, np.ndarray]:
    """Return ``(n, 3)`` x, y and whether the edge cuts the particle, by id in the session."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    with open(simulated / kind / "particles.csv", newline="") as handle:
        for row in csv.DictReader(handle):
            number = int(row["micrograph"].removesuffix(".mrc").rpartition("_")[2])
            at = (float(row["x_px"]), float(row["y_px"]), float(row["edge"] in ("1", "True")))
            found.setdefault(f"{kind}_{number}.mrc", []).append(at)
    return {name: np.array(rows) for name, rows in found.items()}


def precision_recall(session: Path, true: dict[str, np.ndarray]) -> tuple[float, float]:
    """Score the selected picks within a quarter of a diameter; cut particles do not count."""
    picked: dict[str, list[tuple[float, float]]] = {name: [] for name in true}
    with open(session / "out/picks.csv", newline="") as handle:
        for row in csv.DictReader(handle):
            if row["selected"] == "1" and row["micrograph"] in picked:
                picked[row["micrograph"]].append((float(row["x_px"]), float(row["y_px"])))
    hits = picks = particles = 0
    for name, rows in true.items():
        xy, cut = np.array(picked[name]).reshape(-1, 2), rows[:, 2] == 1
        far = np.linalg.norm(xy[:, None] - rows[None, :, :2], axis=-1)
        near = far <= DIAMETER_A / PIXEL_A / 4
        picks += int((~near[:, cut].any(axis=1)).sum())
        hits += int(near[:, ~cut].any(axis=0).sum())
        particles += int((~cut).sum())
    return hits / max(picks, 1), hits / particles


def table(session: Path) -> dict[str, dict[str, str]]:
    with open(session / "out/micrographs.csv", newline="") as handle:
        return {row.pop("micrograph"): row for row in csv.DictReader(handle)}


def delivered(session: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return the picks of micrographs as RELION would take them."""
    return {name: star_path(session / "out/star", name).read_bytes() for name in names}


def all_files(session: Path) -> dict[str, bytes]:
    out = session / "out"
    names = [*out.glob("star/*.star"), *out.glob("*.csv"), out / "picks.star"]
    return {path.name: path.read_bytes() for path in names}


def test_a_first_blank_micrograph_decides_nothing(
    session: Path, simulated: Path, pick: Pick, caplog: pytest.LogCaptureFixture
) -> None:
    blank = arrive(session, simulated, "blank", [0])
    with caplog.at_level(logging.INFO, "frostpick_jobs"):
        alone = pick()
    assert alone.picks > 20 and alone.selected == 0  # a blank set selects nothing
    assert alone.threshold == pytest.approx(OWN, abs=1e-3)
    assert "provisional, the model's own" in caplog.text
    before = delivered(session, blank)

    good = arrive(session, simulated, "good", range(8))
    pick()
    precision, recall = precision_recall(session, truth(simulated, "good"))
    assert precision >= 0.85 and recall >= 0.85
    rows = table(session)
    assert list(rows) == [*blank, *good]
    told = [float(row["threshold"]) for row in rows.values()]
    assert told == pytest.approx([OWN] * len(rows), abs=1e-3)
    assert rows["blank_0.mrc"]["picks"] == "0"
    assert delivered(session, blank) == before
    files = all_files(session)
    pick()
    assert all_files(session) == files


def test_a_first_micrograph_with_a_single_particle_decides_nothing(
    session: Path, simulated: Path, pick: Pick
) -> None:
    # Its score is 4.7, that of the next candidate -.7: the largest F1 is that of it alone.
    assert len(truth(simulated, "single")["single_3.mrc"]) == 1
    arrive(session, simulated, "single", [3])
    assert pick().threshold == pytest.approx(OWN, abs=1e-3)
    arrive(session, simulated, "good", range(8))
    pick()
    precision, recall = precision_recall(session, truth(simulated, "good"))
    assert precision >= 0.85 and recall >= 0.85


def test_a_complete_list_is_judged_by_all_of_it(session: Path, simulated: Path, pick: Pick) -> None:
    arrive(session, simulated, "good", range(8))
    done = pick()
    with open(session / "out/picks.csv", newline="") as handle:
        scores = [float(row["score"]) for row in csv.DictReader(handle)]
    # By hand: what a score is worth against the noise of these micrographs, then the cut of the
    # largest 2 TP / (k + all expected particles).
    told = json.loads((session / "out/run.json").read_text())["threshold"]["against_noise"]
    own = np.sort(np.array(scores))[::-1]
    ratio = told["offset"] + told["slope"] * np.minimum(own, 8.0)
    other = np.clip(1 - 1.5 * np.exp(-np.maximum(ratio, 0.0)), 1e-3, 1 - 1e-6)
    other = np.log(other / (1 - other))
    other = np.where(own < np.log(0.02 / 0.98), np.minimum(own, other), other)
    worth = (own + other) / 2
    best = 1 / (1 + np.exp(-worth))
    f1 = 2 * np.cumsum(best) / (np.arange(1, len(best) + 1) + best.sum())
    assert done.selected == int(np.argmax(f1)) + 1
    assert done.threshold != pytest.approx(OWN, abs=1e-3)


@pytest.mark.parametrize("what", ["header", "pixel_size", "diameter", "model"])
def test_what_is_corrected_chooses_anew(
    session: Path, simulated: Path, pick: Pick, what: str
) -> None:
    names = arrive(session, simulated, "good", range(8))

    def settings(right: bool) -> dict[str, object]:
        pixel_A = PIXEL_A if right else PIXEL_A * 2
        if what == "header":
            for name in names:
                with mrcfile.open(session / "micrographs" / name, "r+") as file:
                    file.voxel_size = pixel_A
            return {}
        values = {
            "pixel_size": pixel_A,
            "diameter": DIAMETER_A * pixel_A / PIXEL_A,
            "model": "general" if right else "blob",
        }
        return {what: values[what]}

    wrong = pick(**settings(False))
    right = pick(**settings(True))
    assert right.threshold != wrong.threshold
    precision, recall = precision_recall(session, truth(simulated, "good"))
    assert precision >= 0.85 and recall >= 0.85
    assert {row["threshold"] for row in table(session).values()} == {f"{right.threshold:.6g}"}
    shutil.rmtree(session / "out")
    assert pick(**settings(True)).threshold == right.threshold
