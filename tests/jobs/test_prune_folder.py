"""Pruning and verifying on a folder, from files to files."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prune_project import (
    OPTICS,
    ROWS,
    positions,
    prune,
    settings,
    table,
    write_particles,
    write_project,
)
from tiny_pruner import DIAMETER_A, PIXEL_A, tiny_pruner

import frostpick_jobs
from frostpick.errors import ConfigError, InputError, JobStopped
from frostpick.pruning import work as engine
from frostpick.pruning.groups import Group
from frostpick.pruning.prune import GroupScores
from frostpick.settings import PruneSettings, VerifySettings
from frostpick_jobs.formats import read_pick_files, read_star_blocks
from frostpick_jobs.formats.star.rows import copy_rows
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.store.prune_store import PruneStore
from frostpick_jobs.tasks.prune import figures as prune_figures
from frostpick_jobs.tasks.prune import pictured
from frostpick_jobs.tasks.prune import run as task
from frostpick_jobs.tasks.prune.run import run_verify


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.name not in (
        "test_every_pick_is_kept_or_rejected_with_its_reason",
        "test_one_micrograph_shows_what_was_kept_and_rejected",
    ):
        monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    return tmp_path


def test_every_pick_is_kept_or_rejected_with_its_reason(project: Path, pruner: str) -> None:
    prune(project, settings(pruner))
    scores = table(project / "out/scores.csv")
    assert [row["reason"] for row in scores] == [reason for *_, reason in ROWS]
    assert [row["keep"] for row in scores] == ["0" if reason else "1" for *_, reason in ROWS]
    assert [int(row["row"]) for row in scores] == list(range(len(ROWS)))
    names = {"a": "a.mrc", "b": "b.mrc", "c": "c"}
    expected = [(names[m], float(x), float(y)) for m, x, y, _ in ROWS]
    kept, rejected = positions(project / "out/kept.star"), positions(project / "out/rejected.star")
    assert kept == [p for p, r in zip(expected, ROWS, strict=True) if not r[3]]
    assert rejected == [p for p, r in zip(expected, ROWS, strict=True) if r[3]]
    record = json.loads((project / "out/run.json").read_text())
    assert record["counts"]["kept"] == 5 and record["counts"]["rows"] == len(ROWS)
    page = (project / "out/report.html").read_text()
    assert "boxes_kept" in page or "Boxes kept" in page
    assert (project / "out/pruner/model.safetensors").is_file()


def test_one_micrograph_shows_what_was_kept_and_rejected(
    project: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one with most rows of both kinds, each at its place in Angstrom."""
    shown: list[tuple[Any, ...]] = []
    draw = pictured.decisions_on_micrograph

    def drawn(*given: Any, **more: Any) -> Any:
        shown.append(given)
        return draw(*given, **more)

    monkeypatch.setattr(pictured, "decisions_on_micrograph", drawn)
    prune(project, settings(pruner))
    ((preview, x, y, keep, scale, size, title, reasons),) = shown
    # three of a.mrc are kept and four rejected, of b.mrc two and one; c could not be read
    assert title == "a.mrc"
    own = [row for row in ROWS if row[0] == "a"]
    wanted = [(a * PIXEL_A, b * PIXEL_A, not why) for _, a, b, why in own]
    assert list(zip(x.tolist(), y.tolist(), keep.tolist(), strict=True)) == wanted
    assert size == DIAMETER_A and scale * PIXEL_A <= 1.01 and preview.dtype == np.uint8
    assert preview.std() > 1  # the image itself
    assert sum(reasons.values()) == sum(bool(why) for *_, why in own)
    page = (project / "out/report.html").read_text()
    assert f"{title}: {sum(keep)} kept, {len(own) - sum(keep)} rejected (" in page


def test_a_box_is_looked_at_four_times_unless_told_otherwise(project: Path, pruner: str) -> None:
    assert PruneSettings().four_rotations
    prune(project, settings(pruner, four_rotations=True))
    four = table(project / "out/scores.csv")
    prune(project, settings(pruner), out="once")
    once = table(project / "once/scores.csv")
    assert "spread" not in once[0]
    read = [row["score"] != "" for row in four]
    assert [row["spread"] != "" for row in four] == read and sum(read) == len(ROWS) - 1
    gaps = [
        abs(float(a["score"]) - float(b["score"]))
        for a, b in zip(four, once, strict=True)
        if a["score"]
    ]
    assert 1e-3 < max(gaps) < 20


def test_the_folder_of_a_pruning_job_stands_for_what_was_kept(project: Path, pruner: str) -> None:
    prune(project, settings(pruner))
    (found,) = read_pick_files([project / "out"])
    wanted = [(f"{m}.mrc", x, y) for m, x, y, why in ROWS if not why]
    assert sorted(zip(found.micrograph, found.x_px, found.y_px, strict=True)) == sorted(wanted)


def test_verify_drops_no_row_and_tells_the_spread(project: Path, pruner: str) -> None:
    asked = VerifySettings(
        pruner=pruner, diameter=DIAMETER_A, pixel_size=PIXEL_A, device="cpu", threads=1
    )
    inputs = {"micrographs": ["mics"], "picks": ["picks.csv"]}
    host = FolderHost(project / "out", inputs, pixel_size=PIXEL_A)
    execute(host, lambda: run_verify(host, asked))
    scores = table(project / "out/scores.csv")
    assert len(scores) == len(ROWS) and {row["keep"] for row in scores} == {"1"}
    assert len(positions(project / "out/verified.star")) == len(ROWS)
    (block,) = read_star_blocks(project / "out/verified.star").values()
    columns = [block.columns[n] for n in ("rlnAutopickFigureOfMerit", "rlnParticleSelectZScore")]
    for row, *native in zip(scores, *columns, strict=True):
        told = (float(row[n] or w) for n, w in (("score", -999), ("spread", 999)))
        assert [float(value) for value in native] == pytest.approx(list(told), rel=1e-3, abs=1e-5)
    for row, (*_, reason) in zip(scores, ROWS, strict=True):
        assert (row["score"] == "") == (reason == "not read")
        if reason in ("", "duplicate"):
            assert float(row["score"]) > 0 and float(row["spread"]) >= 0
        if reason == "not particle":
            assert float(row["score"]) < 0


def test_a_stopped_job_goes_on_and_equals_an_uninterrupted_one(
    project: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune(project, settings(pruner), "whole")
    put = PruneStore.put

    def put_and_stop(self: PruneStore, group: Group, found: GroupScores) -> None:
        put(self, group, found)
        raise JobStopped("enough")

    with monkeypatch.context() as patch, pytest.raises(JobStopped):
        patch.setattr(PruneStore, "put", put_and_stop)
        prune(project, settings(pruner), "parts")
    assert len(list((project / "parts").rglob("*.npz"))) == 1
    assert not (project / "parts/kept.star").exists()
    read: list[str] = []
    original = engine.prepare_group

    def watch(group, *others):  # type: ignore[no-untyped-def]
        read.append(group.name)
        return original(group, *others)

    monkeypatch.setattr(engine, "prepare_group", watch)
    prune(project, settings(pruner), "parts")
    assert read == ["b.mrc"]
    read.clear()
    for name in ("scores.csv", "kept.star", "rejected.star"):
        assert (project / "parts" / name).read_bytes() == (project / "whole" / name).read_bytes()
    prune(project, settings(pruner, threshold="p=0.9"), "parts")
    assert read == []  # another threshold needs no box
    prune(project, settings(pruner, diameter=1.1 * DIAMETER_A), "parts")
    assert sorted(read) == ["a.mrc", "b.mrc"]


def test_packed_scores_are_not_scored_again(
    project: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune(project, settings(pruner), "whole")
    monkeypatch.setattr(task, "PruneStore", partial(PruneStore, full=1))
    prune(project, settings(pruner), "packed")
    names = sorted(path.name for path in (project / "packed/.frostpick/pruning/scores").iterdir())
    assert names == ["pack-00001.zip", "pack-00002.zip"]

    def never(*arguments: object) -> None:
        raise AssertionError("scored again")

    monkeypatch.setattr(engine, "prepare_group", never)
    prune(project, settings(pruner), "packed")
    for name in ("scores.csv", "kept.star", "rejected.star"):
        assert (project / "packed" / name).read_bytes() == (project / "whole" / name).read_bytes()


def test_particles_are_kept_line_by_line_with_their_optics(project: Path, pruner: str) -> None:
    source = write_particles(project)
    good = json.loads((project / "truth.json").read_text())
    prune(project, settings(pruner), picks=(), micrographs=(), particles=source)
    scores = table(project / "out/scores.csv")
    assert [row["keep"] == "1" for row in scores] == good
    lines = source.read_text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.startswith("00000"))
    rows, tail = lines[first : first + len(good)], lines[first + len(good) :]
    for name, wanted in (("kept.star", True), ("rejected.star", False)):
        chosen = [row for row, one in zip(rows, good, strict=True) if one == wanted]
        expected = "".join(lines[:first] + chosen + tail)
        assert (project / "out" / name).read_text() == expected


def test_labels_in_the_forms_that_users_have(
    project: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two coordinate files; a selection against the rest; good alone; none but mostly good."""
    caught: dict[str, object] = {}

    class Reached(Exception):
        pass

    def stub(start, labels, reporter, **others):  # type: ignore[no-untyped-def]
        caught.update(labels=labels, **others)
        raise Reached

    monkeypatch.setattr("frostpick.pruning.fit.tune_pruner", stub)
    (project / "good.csv").write_text("micrograph,x_px,y_px\na,50,60\nb,60,50\n")
    (project / "bad.csv").write_text("micrograph,x_px,y_px\na,60,140\n")

    def reach(**inputs: object) -> dict[str, object]:
        caught.clear()
        with pytest.raises(Reached):
            prune(project, settings(pruner, restart=True), **inputs)
        return dict(caught)

    found = reach(labels=["good.csv"], bad=["bad.csv"])["labels"]
    assert found.good.tolist() == [True, True, False] and found.group.tolist() == [0, 1, 0]
    centre = found.boxes[:, 22:26, 22:26].mean((1, 2))
    assert centre[0] < -2 and centre[1] < -2 and abs(centre[2]) < 1.5
    found = reach(labels=["good.csv"], bad=["rest"])["labels"]
    # 9 of 11 rows are on micrographs and near no good one; one more is not on any
    assert found.good.sum() == 2 and (~found.good).sum() == len(ROWS) - 1 - 2
    found = reach(labels=["good.csv"])
    assert found["labels"].good.tolist() == [True, True]
    # one row is on no micrograph, and one at the edge
    assert len(found["unlabelled"]) == len(ROWS) - 2 and 0 < found["prior"] < 1
    with pytest.raises(Reached):
        prune(
            project,
            settings(pruner, assume_mostly_particles=True, particle_fraction=0.7, restart=True),
        )
    assert caught["prior"] == 0.7 and caught["labels"].good.all()
    source = write_particles(project)
    truth = json.loads((project / "truth.json").read_text())
    copy_rows(source, project / "selected.star", np.array(truth))
    given = {"picks": (), "micrographs": (), "particles": source}
    found = reach(**given, labels=["selected.star"], bad=["rest"])["labels"]
    assert found.good.sum() == 5 and (~found.good).sum() == 3


def test_a_fitted_pruner_is_kept_and_used_again(
    project: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frostpick.pruning import fit as prune_fit
    from frostpick.training.pruner.train import TuneRecipe

    calls = []
    original = prune_fit.tune_pruner

    def quick(*arguments, **others):  # type: ignore[no-untyped-def]
        calls.append(1)
        recipe = TuneRecipe(steps=2, steps_per_label=0, batch=4, rate=1e-4, folds=0)
        return original(*arguments, **{**others, "recipe": recipe})

    monkeypatch.setattr(prune_fit, "tune_pruner", quick)
    (project / "good.csv").write_text("micrograph,x_px,y_px\na,50,60\nb,60,50\n")
    (project / "bad.csv").write_text("micrograph,x_px,y_px\na,60,140\nb,70,140\n")
    labels = {"labels": ["good.csv"], "bad": ["bad.csv"]}
    for _ in range(2):
        prune(project, settings(pruner), **labels)
    assert len(calls) == 1
    for _ in range(2):  # good ones alone: the input teaches too
        prune(project, settings(pruner), labels=["good.csv"])
    assert len(calls) == 2
    lines = ["micrograph,x_px,y_px", *(f"{m},{x + 3},{y}" for m, x, y, _ in ROWS)]
    (project / "moved.csv").write_text("\n".join(lines) + "\n")
    prune(project, settings(pruner), labels=["good.csv"], picks=["moved.csv"])
    assert len(calls) == 3
    card = json.loads((project / "out/pruner/model.json").read_text())
    assert card["diameter_A"] == DIAMETER_A and card["trained_on"]["good"] == 2
    # Learned for the share of particles in the input; the scores are for even odds.
    share = json.loads((project / "out/run.json").read_text())["labels"]["expected_good"]
    expected = tiny_pruner().card.calibration.offset - np.log(share / (1 - share))
    assert card["calibration"]["offset"] == pytest.approx(expected, rel=1e-4)
    prune(project, settings(str(project / "out"), diameter=None), "next")
    assert len(table(project / "next/scores.csv")) == len(ROWS)


def test_rows_that_are_not_selected_are_neither_input_nor_labels(
    project: Path, pruner: str, caplog: pytest.LogCaptureFixture
) -> None:
    head = "micrograph,x_px,y_px,score,probability,selected\n"
    lines = [f"{m},{x},{y},1.0,0.7,{int(not why)}" for m, x, y, why in ROWS]
    (project / "all.csv").write_text(head + "\n".join(lines) + "\n")
    with caplog.at_level("INFO"):
        prune(project, settings(pruner), picks=["all.csv"])
    wanted = [(m, x, y) for m, x, y, why in ROWS if not why]
    rows = table(project / "out/scores.csv")
    assert [(r["micrograph"][0], float(r["x_px"]), float(r["y_px"])) for r in rows] == wanted
    assert "6 of 11 rows are not selected, and left out" in caplog.text
    (project / "no.csv").write_text(head + "a,60,140,-2.0,0.1,0\n")
    given = {
        "micrographs": ["mics"],
        "picks": ["all.csv"],
        "labels": ["all.csv"],
        "bad": ["no.csv"],
    }
    judged = FolderHost(project / "x", given, pixel_size=PIXEL_A).labelled_rows()
    assert judged.good is not None and judged.good.rows == len(wanted)
    assert judged.bad is not None and judged.bad.rows == 1  # what is bad need not be selected


def test_scripts_prune_and_verify(project: Path, pruner: str) -> None:
    told = {"diameter": DIAMETER_A, "pixel_size": PIXEL_A, "pruner": pruner, "threads": 1}
    inputs = {"micrographs": "mics", "picks": "picks.csv"}
    once = {"threshold": "0", "four_rotations": False}
    found = frostpick_jobs.prune("out", **inputs, **once, **told)
    assert found.decisions.keep.tolist() == [not reason for *_, reason in ROWS]
    every = frostpick_jobs.verify("verified", **inputs, **told)
    assert every.decisions.keep.all() and np.isfinite(every.decisions.spread[0])
    with pytest.raises(ConfigError, match="a host brings its own inputs"):
        frostpick_jobs.prune(FolderHost(project / "x"), picks="picks.csv")


def test_wrong_input_is_told_in_one_sentence(project: Path, pruner: str) -> None:
    asked = settings(pruner)
    cases: list[tuple[dict[str, object], type[Exception], str]] = [
        ({"picks": ()}, ConfigError, "give either --picks"),
        ({"particles": Path("p.star")}, ConfigError, "not both"),
        ({"micrographs": ()}, ConfigError, "picks need the micrographs"),
        ({"bad": ["rest"]}, ConfigError, "give --labels"),
    ]
    for number, (inputs, kind, words) in enumerate(cases):
        with pytest.raises(kind, match=words):
            prune(project, asked, f"out{number}", **inputs)
    (project / "p.star").write_text(OPTICS + "data_particles\n\nloop_\n_rlnMicrographName #1\nx\n")
    given = {"picks": (), "micrographs": (), "particles": project / "p.star"}
    with pytest.raises(InputError, match="expected rlnImageName"):
        prune(project, asked, "out9", **given)
    text = OPTICS + "data_particles\n\nloop_\n_rlnImageName #1\n_rlnOpticsGroup #2\n"
    (project / "p.star").write_text(text + "000000@x.mrcs 1\n")
    with pytest.raises(InputError, match="NUMBER@STACK"):
        prune(project, asked, "out10", **given)
    (project / "p.star").write_text(text + "000001@x.mrcs 1\n")
    with pytest.raises(InputError, match=r"x\.mrcs"):
        prune(project, asked, "out11", **given)
    with pytest.raises(ConfigError, match="--diameter"):
        prune(project, settings(pruner, diameter=None), "out12")
    assert prune_figures.SHOWN <= 100
