"""Rules that count picks, in jobs: pick, select, prune and audit on a folder.

Every spot has a depth of its own, so that which are the best ones is known from the truth.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc
from prune_project import DISCS, positions, prune, settings, write_project

import frostpick_jobs
from frostpick.errors import InputError
from frostpick_jobs.tasks.pick import finish

SHAPE = (192, 224)
#: The deepest first; no two of them mirror each other.
SPOTS = {
    "a.mrc": [(40.0, 50.0), (170.0, 60.0), (60.0, 140.0), (150.0, 130.0)],
    "b.mrc": [(60.0, 40.0), (130.0, 150.0), (180.0, 90.0)],
}
DEPTH = {"a.mrc": [6.0, 5.0, 4.0, 3.0], "b.mrc": [5.5, 3.5, 2.5]}


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])  # most of the time
    for name, xy in SPOTS.items():
        image = spots_on_noise(SHAPE, xy, ord(name[0]), DEPTH[name])
        write_mrc(tmp_path / "mics" / name, image, 2.0)
    return tmp_path / "out"


def pick(out: Path, threshold: str) -> frostpick_jobs.PickingResult:
    asked = {"model": "blob", "diameter": 64, "device": "cpu", "threads": 1}
    mics = out.parent / "mics"
    return frostpick_jobs.pick(out, micrographs=mics, threshold=threshold, **asked)


def selected(out: Path) -> dict[str, list[int]]:
    """Which spots of each micrograph are in ``picks.star``, by their number; -1 for none."""
    found: dict[str, list[int]] = {name: [] for name in SPOTS}
    for name, x, y in positions(out / "picks.star"):
        away = np.hypot(*(np.array(SPOTS[name]) - (x, y)).T)
        found[name].append(int(away.argmin()) if away.min() < 4 else -1)
    return {name: sorted(numbers) for name, numbers in found.items()}


def test_pick_and_select_take_the_best_by_truth(out: Path) -> None:
    result = pick(out, "per-micrograph=2")
    assert selected(out) == {"a.mrc": [0, 1], "b.mrc": [0, 1]} and result.selected == 4
    table = list(csv.DictReader((out / "micrographs.csv").read_text().splitlines()))
    assert [row["picks"] for row in table] == ["2", "2"]
    with (out / "picks.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["selected"] == "1"]
    least = {m: min(float(r["score"]) for r in rows if r["micrograph"] == m) for m in SPOTS}
    assert [float(row["threshold"]) for row in table] == pytest.approx([*least.values()], rel=1e-4)
    assert result.threshold == pytest.approx(min(least.values()), rel=1e-5)
    record = json.loads((out / "run.json").read_text())
    assert record["threshold"]["by_micrograph"] and record["counts"]["selected"] == 4
    assert "per-micrograph=2" in (out / "report.html").read_text()
    with pytest.raises(InputError, match="a threshold of its own on each micrograph"):
        frostpick_jobs.audit(out)

    # The same job goes on with nothing to do, and selects the same.
    pick(out, "per-micrograph=2")
    assert selected(out) == {"a.mrc": [0, 1], "b.mrc": [0, 1]}
    # So many of all that the best three are taken: 6 and 5 of a, 5.5 of b.
    three = frostpick_jobs.select(out, f"fraction={2.5 / result.picks:.6f}")
    assert selected(out) == {"a.mrc": [0, 1], "b.mrc": [0]} and three.selected == 3
    assert not json.loads((out / "run.json").read_text())["threshold"]["by_micrograph"]


def test_a_pruning_keeps_so_many_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruner: str
) -> None:
    """Eight rows could be kept: three discs and two empty places on a, two and one on b."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])
    write_project(tmp_path)
    prune(tmp_path, settings(pruner, threshold="fraction=0.625"))
    discs = {(name, *xy) for name, places in DISCS.items() for xy in places}
    assert set(positions(tmp_path / "out/kept.star")) == discs  # five of eight
    prune(tmp_path, settings(pruner, threshold="per-micrograph=2"))
    kept = positions(tmp_path / "out/kept.star")
    assert set(kept) < discs and [m for m, *_ in kept].count("a.mrc") == 2 and len(kept) == 4
    with pytest.raises(InputError, match="a threshold of its own on each micrograph"):
        frostpick_jobs.audit(tmp_path / "out")
