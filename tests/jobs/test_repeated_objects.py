"""What repeats, from a job's previews to log, record, pictures and the table of places."""

from __future__ import annotations

import csv
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_images import draw_discs, noise, places_apart

from frostpick.errors import spelled
from frostpick.picking.pick import MicrographPicks
from frostpick.picking.threshold import Cut
from frostpick.runtime.run_record import RunRecord
from frostpick.types import Picks
from frostpick_jobs.formats.pick_reader import read_picks
from frostpick_jobs.tasks.repeated import repeated_objects

#: A preview has half the pixels of its micrograph.
SHAPE, PREVIEW, DIAMETER_A, PIXEL_A = (720, 720), (360, 360), 64.0, 2.0


@pytest.fixture(scope="module")
def results() -> list[tuple[MicrographPicks, np.ndarray]]:
    """Return four results with rings in their previews, all picked at a score of 1."""
    made = []
    for seed in range(4):
        xy = places_apart(np.random.default_rng(seed), PREVIEW, 40, 16.0, 34.0)
        image = noise(PREVIEW, seed)
        draw_discs(image, xy, 2.0, 5.0, 2.0)
        grey = np.clip(128 + 25 * image, 0, 255).astype(np.uint8)
        picks = Picks.from_xy(f"m{seed}.mrc", 2 * xy[:, 0], 2 * xy[:, 1], score=np.ones(40))
        one = MicrographPicks(f"m{seed}.mrc", picks, SHAPE, PIXEL_A, preview=grey)
        made.append((one, 2 * xy))
    return made


def test_what_is_not_picked_is_told_everywhere(
    results: list[tuple[MicrographPicks, np.ndarray]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = repeated_objects(
        [r for r, _ in results], lambda _: Cut(2.0), DIAMETER_A, "dark", job="J7/"
    )
    assert found.missed and "mostly not picked: kind 1" in caplog.text
    assert "--include J7:1" in caplog.text and "--include J7:1" in spelled(found.figures[0].caption)
    record = RunRecord("pick", "folder", {})
    found.tell(record)
    assert record.finished()["repeated_objects"]["kinds"][0]["picked"] == 0.0
    assert "mostly not picked" in record.finished()["warnings"][0]
    assert found.figures[0].name == "repeated_objects_1"
    assert "label some of it" in found.figures[0].caption

    path = tmp_path / "repeated_objects.csv"
    found.write(path)
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == sum(one["seen"] for one in found.told["kinds"])
    true = {r.micrograph_id: xy for r, xy in results}
    for row in rows:  # in pixels of the micrograph, a quarter of the diameter being 8 of them
        assert float(row["away"]) >= 0.0 and row["named"] == ""
        at = np.array([float(row["x_px"]), float(row["y_px"])])
        assert np.hypot(*(true[row["micrograph"]] - at).T).min() < 8.0
    assert len(read_picks(path).x_px) == len(rows)  # labels as they are


def test_what_is_picked_is_no_warning(
    results: list[tuple[MicrographPicks, np.ndarray]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = repeated_objects([r for r, _ in results], lambda _: Cut(0.0), DIAMETER_A, "dark")
    assert not found.missed and "mostly picked" in caplog.text
    record = RunRecord("pick", "folder", {})
    found.tell(record)
    assert "warnings" not in record.finished()
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_light_particles_are_found_where_the_job_says_so(
    results: list[tuple[MicrographPicks, np.ndarray]],
) -> None:
    light = [replace(r, preview=255 - r.preview) for r, _ in results if r.preview is not None]
    assert repeated_objects(light, lambda _: Cut(2.0), DIAMETER_A, "light").missed


def test_without_previews_there_is_an_empty_table(
    results: list[tuple[MicrographPicks, np.ndarray]], tmp_path: Path
) -> None:
    bare = [replace(r, preview=None) for r, _ in results]
    found = repeated_objects(bare, lambda _: Cut(0.0), DIAMETER_A, "dark")
    found.write(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "kind_number,micrograph,x_px,y_px,away,named\n"
    assert found.told == {} and found.figures == []
