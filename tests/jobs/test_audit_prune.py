"""``frostpick audit`` of a pruning: the rows that a threshold could keep, judged by eye."""

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path

import pytest
from prune_project import DISCS, ROWS, prune, settings, write_particles, write_project

from frostpick.errors import InputError
from frostpick_jobs import api

#: Rows that no threshold keeps.
NEVER = ("duplicate", "edge", "not read")


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    return tmp_path


def record(project: Path) -> dict:
    return json.loads((project / "out/run.json").read_text())


def test_answers_about_rows_choose_the_threshold_of_a_pruning(
    project: Path, pruner: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = settings(pruner, threshold="precision=0.4")
    prune(project, asked)
    assert "not guaranteed: precision=0.4 stands on stated probabilities" in caplog.text
    assert "and then give the same command again" in caplog.text
    assert not record(project)["promise"]["guaranteed"]

    (folder,) = api.audit(project / "out").folders
    rows = list(csv.DictReader(io.StringIO((folder / "audit.csv").read_text())))
    expected = {(f"{m}.mrc", float(x), float(y)) for m, x, y, why in ROWS if why not in NEVER}
    assert {(r["micrograph"], float(r["x_px"]), float(r["y_px"])) for r in rows} == expected
    for row in rows:
        place = (float(row["x_px"]), float(row["y_px"]))
        row["particle"] = "yes" if place in DISCS[row["micrograph"]] else "no"
    with (folder / "audit.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    assert api.audit(project / "out").judged == len(expected) == 8

    caplog.clear()
    with caplog.at_level(logging.INFO):
        prune(project, asked)
    # The sixth of eight by score: five discs, and one place of empty ice.
    promise = record(project)["promise"]
    assert promise["guaranteed"] and promise["judged_picks"] == 6
    assert promise["precision"] == pytest.approx(5 / 6)
    assert record(project)["counts"]["kept"] == 6
    assert "precision=0.4 is guaranteed, with 95 % confidence: 6 judged picks" in caplog.text
    assert "judged picks" in (project / "out/report.html").read_text()


def test_extracted_particles_are_refused_in_one_sentence(project: Path, pruner: str) -> None:
    particles = write_particles(project)
    prune(project, settings(pruner), picks=[], micrographs=[], particles=particles)
    with pytest.raises(InputError, match="not of extracted particles, that came to its end"):
        api.audit(project / "out")
