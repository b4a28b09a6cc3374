"""The figure of merit of the input's picker: read from every kind of file, and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc
from prune_project import prune, settings, table, write_particles, write_project

from frostpick_jobs.formats.star.particles import read_particles
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.host import RelionHost
from frostpick_jobs.tasks.declarations import PRUNE

#: Faint: what the tiny network sees alone leaves it in doubt.
DEPTH = 0.9


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.name != "test_it_is_told_in_the_report":
        monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A micrograph with 128 faint discs and as many empty places, and picks of both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mics").mkdir()
    grid = write_micrograph(tmp_path, DEPTH)
    merit = np.random.default_rng(8).normal(size=len(grid)) + [
        2.0 - 2.0 * (n % 2) for n in range(256)
    ]
    write_picks(tmp_path / "picks.star", grid, merit.tolist())
    write_picks(tmp_path / "plain.star", grid, None)
    return tmp_path


def write_micrograph(folder: Path, depth: float) -> list[tuple[float, float]]:
    """Write ``mics/a.mrc`` and return the places of a grid, a disc on every second one."""
    grid = [(60.0 + 62 * c, 60.0 + 62 * r) for r in range(16) for c in range(16)]
    discs = [one for n, one in enumerate(grid) if n % 2 == 0]
    write_mrc(folder / "mics/a.mrc", spots_on_noise((1050, 1050), discs, 4, depth=depth))
    return grid


def write_picks(path: Path, grid: list[tuple[float, float]], merit: list[float] | None) -> None:
    text = "data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
    text += "_rlnAutopickFigureOfMerit #4\n" if merit is not None else ""
    for n, (x, y) in enumerate(grid):
        text += f"mics/a.mrc {x:.1f} {y:.1f} {'' if merit is None else f'{merit[n]:.5f}'}\n"
    path.write_text(text + "\n")


def scores(project: Path, pruner: str, picks: str, **asked: object) -> np.ndarray:
    prune(project, settings(pruner, min_distance=0.0, restart=True, **asked), picks=[picks])
    return np.array([float(row["score"]) for row in table(project / "out/scores.csv")])


class Reached(Exception):
    """The fit was asked for."""


def catch_fit(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stop where a fit begins; return what it is given."""
    caught: dict[str, Any] = {}

    def stub(start, labels, reporter, **others):  # type: ignore[no-untyped-def]
        caught.update(labels=labels, **others)
        raise Reached

    monkeypatch.setattr("frostpick.pruning.fit.tune_pruner", stub)
    return caught


def ranked_right(score: np.ndarray) -> float:
    """Return how often a disc (the even rows) scores above an empty place."""
    return float((score[0::2, None] > score[None, 1::2]).mean())


def test_it_helps_to_tell_particles_from_none(project: Path, pruner: str) -> None:
    alone = scores(project, pruner, "plain.star")
    together = scores(project, pruner, "picks.star")
    record = json.loads((project / "out/run.json").read_text())
    assert record["figure_of_merit"] == {"rows": 256}
    assert 0.9 < ranked_right(alone) < 0.98
    assert 1 - ranked_right(together) < 0.6 * (1 - ranked_right(alone))
    unasked = scores(project, pruner, "picks.star", figure_of_merit=False)
    np.testing.assert_array_equal(unasked, alone)


def test_it_is_told_in_the_report(project: Path, pruner: str) -> None:
    scores(project, pruner, "picks.star")
    page = (project / "out/report.html").read_text()
    assert "figure of merit, learned from" in page
    scores(project, pruner, "plain.star")
    page = (project / "out/report.html").read_text()
    assert "figure of merit, learned from" not in page


@pytest.mark.parametrize(
    "name, text",
    [
        ("p.csv", "micrograph,x_px,y_px,score\na,50,60,1.5\nb,60,50,-999\n"),
        ("p.csv", "micrograph,x_px,y_px,probability\na,50,60,1.5e-1\nb,60,50,.5\n"),
        ("p.txt", "image_name\tx_coord\ty_coord\tscore\na\t50\t60\t1.5\nb\t60\t50\t-999\n"),
        (
            "p.star",
            "data_\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
            "_rlnAutopickFigureOfMerit #4\na.mrc 50 60 1.5\nb.mrc 60 50 -9999\n",
        ),
    ],
)
def test_every_kind_of_pick_file_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    (tmp_path / name).write_text(text)
    host = FolderHost(tmp_path / "out", {"micrographs": ["mics"], "picks": [name]}, pixel_size=2.0)
    merit = host.input_rows().merit
    assert merit is not None
    expected = [0.15, 0.5] if "probability" in text else [1.5, np.nan]
    np.testing.assert_allclose(merit, expected)


def test_particles_bring_it_and_one_that_is_no_number_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    path = write_particles(tmp_path)
    assert read_particles(path).merit is None
    lines = path.read_text().replace("_rlnSomething #6", "_rlnAutopickFigureOfMerit #6")
    words = iter(["0.25", "-999.0", "nan", "None", "-3", "7e2", "0", "1"])
    lines = "\n".join(
        line.replace("0.0012300", next(words)) if "@" in line else line
        for line in lines.splitlines()
    )
    path.write_text(lines + "\n")
    expected = [0.25, np.nan, np.nan, np.nan, -3.0, 700.0, 0.0, 1.0]
    np.testing.assert_array_equal(read_particles(path).merit, expected)
    host = FolderHost(tmp_path / "out", {"particles": [path]})
    np.testing.assert_array_equal(host.input_rows().merit, expected)


def test_relion_brings_that_of_coordinates_and_of_particles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    (tmp_path / "mics.star").write_text(
        "data_micrographs\nloop_\n_rlnMicrographName #1\nmics/a.mrc\nmics/b.mrc\n"
    )
    write_picks(tmp_path / "picks.star", [(50.0, 60.0), (60.0, 140.0)], [0.5, -999.0])
    files = {"in_mics": "mics.star", "in_coords": "picks.star"}
    job = Path("External/job001")
    arguments = JobArguments(job, f"{job}/", given=tuple(files), **files)
    host = RelionHost(arguments, PRUNE, pixel_size_A=2)
    np.testing.assert_array_equal(host.input_rows().merit, [0.5, np.nan])
    path = write_particles(tmp_path)
    text = path.read_text().replace("_rlnSomething #6", "_rlnAutopickFigureOfMerit #6")
    path.write_text(text)
    files = {"in_parts": path.name}
    host = RelionHost(JobArguments(job, f"{job}/", given=tuple(files), **files), PRUNE)
    np.testing.assert_array_equal(host.input_rows().merit, [0.00123] * 8)


def test_the_threshold_is_for_the_share_of_particles_in_the_input(
    project: Path, pruner: str
) -> None:
    """Of 128 + 128 rows 118 discs are left out: a tenth, at the same scores for even odds."""
    write_micrograph(project, 2.0)
    lines = (project / "plain.star").read_text().rstrip("\n").splitlines()
    head, rows = lines[:6], lines[6:]
    assert len(rows) == 256
    few = [row for n, row in enumerate(rows) if n % 2 or n % 20 == 0]
    (project / "few.star").write_text("\n".join([*head, *few]) + "\n")
    every = scores(project, pruner, "plain.star")
    some = scores(project, pruner, "few.star")
    share = json.loads((project / "out/run.json").read_text())["expected_good"]
    kept_before = np.array([n % 2 or n % 20 == 0 for n in range(256)], bool)
    shift = some - every[kept_before]
    assert np.ptp(shift) < 1e-3 and shift.mean() < -1
    told = scores(project, pruner, "few.star", particle_fraction=0.5)
    assert (some - told).mean() == pytest.approx(np.log(share / (1 - share)), abs=1e-3)


def test_good_labels_alone_are_set_against_sure_mistakes_of_the_input(
    project: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught = catch_fit(monkeypatch)
    write_micrograph(project, 2.0)
    rows = (project / "plain.star").read_text().rstrip("\n").splitlines()
    (project / "good.star").write_text("\n".join([*rows[:6], *rows[6:46:2]]) + "\n")
    (project / "others.star").write_text("\n".join([*rows[:6], *rows[7:46:2]]) + "\n")
    asked = settings(pruner)
    for names in (["plain.star"], ["good.star"]):
        with pytest.raises(Reached):
            prune(project, asked, picks=names, labels=["good.star"])
        labels = caught["labels"]
        if names == ["good.star"]:  # no mistakes among them
            assert labels.good.all() and len(caught["unlabelled"]) == 20
            continue
        assert caught["unlabelled"] is None and caught["recipe"].folds == 0
        assert labels.good.sum() == 20 and (~labels.good).sum() == 40
        good = {box.tobytes() for box in labels.boxes[labels.good].numpy()}
        assert not any(box.tobytes() in good for box in labels.boxes[~labels.good].numpy())
        middle = labels.boxes[:, 18:30, 18:30].mean((1, 2)).numpy()
        assert middle[~labels.good].mean() > middle[labels.good].mean() + 0.3
    # Labels that the start takes for mistakes: a particle it does not know.
    for given, more in (("others.star", {}), ("good.star", {"assume_mostly_particles": True})):
        with pytest.raises(Reached):
            prune(project, settings(pruner, **more), picks=["plain.star"], labels=[given])
        assert caught["labels"].good.all() and len(caught["unlabelled"]) == 256


def test_labelled_places_at_the_edge_of_doubt_are_no_mistakes(
    project: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faint discs look like mistakes to the start; labelled ones among the input do not count."""
    rows = (project / "plain.star").read_text().rstrip("\n").splitlines()
    (project / "good.star").write_text("\n".join([*rows[:6], *rows[6:206:2]]) + "\n")
    monkeypatch.setattr("frostpick.pruning.reliable_negatives.UNKNOWN", 1.0)
    caught = catch_fit(monkeypatch)
    with pytest.raises(Reached):
        prune(project, settings(pruner), picks=["plain.star"], labels=["good.star"])
    boxes, good = caught["labels"].boxes.numpy(), caught["labels"].good
    assert good.sum() == 100 and (~good).sum() > 50
    known = {box.tobytes() for box in boxes[good]}
    assert not any(box.tobytes() in known for box in boxes[~good])
