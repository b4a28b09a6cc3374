"""Labels of both signs: particles, and places that are none, in one file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.testing
from made_images import write_mrc

from frostpick.errors import ConfigError, InputError, LabelError
from frostpick.fewshot import check_count
from frostpick.types import Labels
from frostpick_jobs.cli.main import app
from frostpick_jobs.formats import read_picks
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.tasks import fewshot

#: Micrograph, x, y, sign, selected.
ROWS = [
    ("a", 40.0, 30.0, 1, 1),
    ("a", 90.5, 60.0, -1, 0),
    ("b", 50.0, 70.0, -1, 1),
    ("b", 20.0, 25.0, 1, 0),
    ("b", 93.0, 60.0, 1, 1),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(1)
    for name in "ab":
        image = rng.normal(size=(100, 120)).astype(np.float32)
        write_mrc(tmp_path / "mics" / f"{name}.mrc", image, 2.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_csv(path: Path, rows: list[tuple[Any, ...]], signs: tuple[str, str] = ("1", "-1")) -> None:
    lines = [f"{m},{x},{y},{signs[s < 0]},{on}" for m, x, y, s, on in rows]
    path.write_text("\n".join(["micrograph,x_px,y_px,sign,selected", *lines]) + "\n")


def as_star(path: Path, rows: list[tuple[Any, ...]], signs: tuple[str, str] = ("1", "-1")) -> None:
    names = ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "frostpickSign"]
    head = "\n".join(f"_{name} #{n}" for n, name in enumerate(names, 1))
    lines = [f"{m}.mrc {x} {y} {signs[s < 0]}" for m, x, y, s, _ in rows]
    path.write_text(f"\ndata_\n\nloop_\n{head}\n" + "\n".join(lines) + "\n\n")


def of_files(path: Path, rows: list[tuple[Any, ...]]) -> None:
    """Write a list of coordinate files, one of which has no signs."""
    for name in "ab":
        own = [row for row in rows if row[0] == name]
        as_star(path.parent / f"{name}.star", own)
    plain = (path.parent / "a.star").read_text().replace("_frostpickSign #4\n", "")
    (path.parent / "a.star").write_text(plain.replace(" -1\n", "\n").replace(" 1\n", "\n"))
    head = "_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
    path.write_text(f"\ndata_coordinate_files\n\nloop_\n{head}a.mrc a.star\nb.mrc b.star\n\n")


def labels(*files: str) -> dict[str, Labels]:
    return dict(FolderHost("out", {"micrographs": ["mics"], "labels": list(files)}).labels())


@pytest.mark.parametrize("signs", [("1", "-1"), ("+1", "-1.000"), ("1.0", " -1")])
def test_a_column_of_signs_in_csv(project: Path, signs: tuple[str, str]) -> None:
    as_csv(project / "labels.csv", ROWS, signs)
    found = labels("labels.csv")
    # a place without a particle counts whether it is selected or not
    assert [(one, own.x_px.tolist(), own.sign.tolist()) for one, own in found.items()] == [
        ("a.mrc", [40.0, 90.5], [1, -1]),
        ("b.mrc", [50.0, 93.0], [-1, 1]),
    ]


def test_a_column_of_signs_in_star(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    as_star(project / "labels.star", ROWS)
    with caplog.at_level("INFO"):
        found = labels("labels.star")
    assert [own.sign.tolist() for own in found.values()] == [[1, -1], [-1, 1, 1]]
    assert "2 of the labels are places without a particle" in caplog.messages


def test_files_without_signs_hold_particles(project: Path) -> None:
    of_files(project / "list.star", ROWS)
    assert read_picks(project / "list.star").sign.tolist() == [1, 1, -1, 1, 1]  # type: ignore[union-attr]
    as_csv(project / "some.csv", ROWS[2:3])
    (project / "plain.csv").write_text("micrograph,x_px,y_px\nb,20,80\n")
    found = labels("some.csv", "plain.csv")
    assert found["b.mrc"].sign.tolist() == [-1, 1]
    assert read_picks(project / "plain.csv").sign is None


@pytest.mark.parametrize("value", ["0", "2", "-", "nan", "yes", "0.5"])
@pytest.mark.parametrize("write", [as_csv, as_star])
def test_other_signs_are_refused(project: Path, write: Callable[..., None], value: str) -> None:
    write(project / "labels.txt", ROWS[1:2] + ROWS[:1], (value, "-1"))
    column = "sign" if write is as_csv else "frostpickSign"
    sentence = rf"labels\.txt, row 2: {column} is '{value}', expected 1 for a particle or -1 for a"
    with pytest.raises(InputError, match=sentence):
        labels("labels.txt")


def test_a_place_with_both_signs_is_refused(project: Path) -> None:
    as_csv(project / "labels.csv", [*ROWS, ("b", 93.6, 60.5, -1, 1)])
    sentence = r"labels\.csv: 1 places of b\.mrc have both signs, the first at \(93\.6, 60\.5\)"
    with pytest.raises(LabelError, match=sentence):
        labels("labels.csv")


def test_neighbours_of_different_signs_stay_and_doubles_of_one_do_not(project: Path) -> None:
    more = [("b", 94.5, 60.0, -1, 1), ("b", 94.9, 60.0, -1, 1), ("b", 92.6, 60.0, 1, 1)]
    as_csv(project / "labels.csv", [*ROWS, *more])
    own = labels("labels.csv")["b.mrc"]
    assert own.x_px.tolist() == [50.0, 93.0, 94.5] and own.sign.tolist() == [-1, 1, -1]


def test_few_shot_picking_counts_particles_alone(caplog: pytest.LogCaptureFixture) -> None:
    def exemplars(*signs: int) -> dict[str, Labels]:
        at = np.arange(len(signs)) * 30.0
        return {"a": Labels.from_xy("a", at, at, sign=np.array(signs, np.int8))}

    with pytest.raises(LabelError, match="needs at least 3 exemplars, found 2"):
        check_count(exemplars(1, 1, -1, -1))
    with caplog.at_level("INFO"):
        check_count(exemplars(1, 1, -1, 1))
        fewshot._tell_of_unused(exemplars(1, 1, 1))
        fewshot._tell_of_unused(exemplars(1, -1, -1, 1))
    assert caplog.messages == [
        "3 exemplars on 1 micrographs",
        "2 labels are places without a particle, of which cryomae makes no use; --method pu "
        "learns from them",
    ]


def judged(**given: Any) -> tuple[list[tuple[str, float]], list[tuple[str, float]] | None]:
    """Return micrograph and x of the good and of the bad examples of a pruning job."""
    inputs = {"micrographs": ["mics"], "picks": ["labels.csv"], **given}
    found = FolderHost("out", inputs).labelled_rows()
    sides = []
    for side in (found.good, found.bad):
        if side is None:
            sides.append(None)
            continue
        rows = [row for _, own in side.picks for row in own.row.tolist()]
        assert len(set(rows)) == len(rows) and all(0 <= row < side.rows for row in rows)
        sides.append([(m.id, x) for m, own in side.picks for x in own.x_px.tolist()])
    assert sides[0] is not None
    return sides[0], sides[1]


def test_both_signs_of_a_file_teach_a_pruner(project: Path) -> None:
    as_csv(project / "labels.csv", ROWS)
    good = [("a.mrc", 40.0), ("b.mrc", 93.0)]  # those that are selected
    bad = [("a.mrc", 90.5), ("b.mrc", 50.0)]
    assert judged(labels=["labels.csv"]) == (good, bad)
    (project / "bad.csv").write_text("micrograph,x_px,y_px\nb,30,40\n")
    assert judged(labels=["labels.csv"], bad=["bad.csv"]) == (good, [*bad, ("b.mrc", 30.0)])
    as_csv(project / "good.csv", [row for row in ROWS if row[3] > 0])
    assert judged(labels=["good.csv"]) == (good, None)
    assert judged(labels=["good.csv"], bad=["bad.csv"]) == (good, [("b.mrc", 30.0)])


def test_signs_that_contradict_how_a_file_is_given_are_refused(project: Path) -> None:
    as_csv(project / "labels.csv", ROWS)
    with pytest.raises(ConfigError, match=r"2 rows of sign -1, and --bad rest means all input"):
        judged(labels=["labels.csv"], bad=["rest"])
    with pytest.raises(ConfigError, match=r"3 rows of sign 1, .* given as --bad; .* --labels"):
        judged(labels=["labels.csv"], bad=["labels.csv"])
    as_csv(project / "none.csv", [row for row in ROWS if row[3] < 0])
    bad = judged(labels=["labels.csv"], bad=["none.csv"])[1]
    assert bad is not None and len(bad) == 4


def test_both_signs_of_extracted_particles(project: Path) -> None:
    write_mrc(project / "s.mrcs", np.zeros((4, 8, 8), np.float32))
    head = "_rlnImageName #1\n_rlnImagePixelSize #2\n_frostpickSign #3\n"
    rows = [f"{n:06d}@s.mrcs 2.0 {sign}" for n, sign in ((1, -1), (2, 1), (3, 1), (4, -1))]
    text = f"\ndata_particles\n\nloop_\n{head}" + "\n".join(rows) + "\n\n"
    (project / "labels.star").write_text(text)
    given = {"particles": ["labels.star"], "labels": ["labels.star"]}
    found = FolderHost(project / "out", given).labelled_rows()
    assert found.good is not None and found.bad is not None
    assert [stack.index.tolist() for stack in found.good.stacks] == [[1, 2]]
    assert [stack.index.tolist() for stack in found.bad.stacks] == [[0, 3]]
    assert (found.good.rows, found.bad.rows) == (2, 2)


def test_the_truth_of_an_evaluation_is_what_is_a_particle(project: Path) -> None:
    """Without its signs the table would hold five particles, and the picks find two of them."""
    rows = [row for row in ROWS if row[4]]
    as_csv(project / "truth.csv", [(m, x, y, s, 1) for m, x, y, s, _ in ROWS])
    lines = [f"{m},{x},{y},1.0" for m, x, y, s, _ in rows if s > 0]
    (project / "picks.csv").write_text("\n".join(["micrograph,x_px,y_px,score", *lines]) + "\n")
    words = ["--picks", "picks.csv", "--truth", "truth.csv", "--micrographs", "mics"]
    run = typer.testing.CliRunner().invoke
    done = run(app, ["evaluate", *words, "--diameter", "20", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout[done.stdout.index("{") :])
    quarter = told["quarter"]
    assert quarter["n_true"] == 3 and quarter["ap"] == pytest.approx(2 / 3)
