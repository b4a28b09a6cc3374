"""An executor from scratch picks and prunes for jobs: it needs to know the protocol alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import draw_spots, write_mrc
from plain_work import Backwards
from prune_project import ROWS, write_project
from tiny_pruner import DIAMETER_A, PIXEL_A, tiny_pruner

from frostpick_jobs import api


@pytest.fixture
def micrographs(tmp_path: Path) -> Path:
    folder = tmp_path / "micrographs"
    for number in range(4):
        rng = np.random.default_rng(number)
        image = rng.normal(size=(180, 200))
        draw_spots(image, rng.uniform(40, 140, (5, 2))[:, ::-1])
        write_mrc(folder / f"m{number}.mrc", image.astype(np.float32), 2.0)
    return folder


def results(out: Path) -> dict[str, bytes]:
    """Return the files of picks or decisions, without pictures and times."""
    files = [path for path in out.rglob("*") if path.suffix in (".csv", ".star")]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def test_pick_with_an_executor_from_scratch(tmp_path: Path, micrographs: Path) -> None:
    told: dict[str, Any] = {"model": "blob", "diameter": 64, "threads": 1, "device": "cpu"}
    (micrographs / "m2.mrc").write_bytes(b"broken")
    toy = Backwards()
    api.pick(tmp_path / "usual", micrographs=micrographs, **told)
    found = api.pick(tmp_path / "toy", micrographs=micrographs, executor=toy, **told)
    assert [micrograph.id for micrograph in toy.done] == ["m3.mrc", "m2.mrc", "m1.mrc", "m0.mrc"]
    assert found.summary.micrographs == 3 and list(found.summary.failed) == ["m2.mrc"]
    assert found.summary.picks >= 15
    assert results(tmp_path / "toy") == results(tmp_path / "usual") != {}
    one, other = (json.loads((tmp_path / n / "run.json").read_text()) for n in ("usual", "toy"))
    for name in ("device", "devices", "threads", "precision", "counts", "threshold", "failed"):
        assert one[name] == other[name]


def test_prune_and_verify_with_an_executor_from_scratch(tmp_path: Path) -> None:
    write_project(tmp_path)
    tiny_pruner().save(tmp_path / "pruner")
    scale = {"diameter": DIAMETER_A, "pixel_size": PIXEL_A, "device": "cpu", "threads": 1}
    told: dict[str, Any] = {"pruner": str(tmp_path / "pruner"), **scale}
    inputs: Any = {"micrographs": tmp_path / "mics", "picks": tmp_path / "picks.csv"}
    toy = Backwards()
    for task in (api.prune, api.verify):
        usual, own = tmp_path / task.__name__, tmp_path / f"{task.__name__}_toy"
        task(usual, **inputs, **told)
        found = task(own, **inputs, **told, executor=toy)
        assert len(found.decisions) == len(ROWS)
        assert results(own) == results(usual) != {}
    assert [group.name for group in toy.done] == ["b.mrc", "a.mrc"] * 2
