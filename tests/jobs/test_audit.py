"""``frostpick audit`` on a folder: the whole way from picks to a guaranteed precision."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer.testing
from made_images import places_apart, spots_on_noise, write_mrc
from PIL import Image

from frostpick.errors import InputError
from frostpick_jobs import api
from frostpick_jobs.cli.main import app
from frostpick_jobs.tasks.audit.answers import read_answers
from frostpick_jobs.tasks.audit.kept import KeptAudit

SHAPE, DIAMETER_A = (320, 360), 64
SETTINGS = {"model": "blob", "diameter": DIAMETER_A, "pixel_size": 2.0, "device": "cpu"}
#: On each micrograph: spots that are particles, and as many fainter ones that are none.
PARTICLES, OTHERS = 9, 9


def places(number: int) -> np.ndarray:
    rng = np.random.default_rng(number)
    return places_apart(rng, SHAPE, PARTICLES + OTHERS, 24, 44)


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited") / "mics"
    for number in range(8):
        depth = np.linspace(4, 2.2, PARTICLES).tolist() + np.linspace(2.4, 1, OTHERS).tolist()
        image = spots_on_noise(SHAPE, places(number), number, depth)
        write_mrc(folder / f"m{number}.mrc", image)
    return folder


@pytest.fixture(scope="module")
def picked(micrographs: Path) -> Path:
    folder = micrographs.parent / "pick"
    api.pick(folder, micrographs=micrographs, **SETTINGS, threshold="p=0.05")
    return folder


@pytest.fixture
def out(picked: Path, tmp_path: Path) -> Path:
    return shutil.copytree(picked, tmp_path / "pick")


def is_particle(micrograph: str, x: float, y: float) -> bool:
    away = places(int(micrograph[1]))[:PARTICLES] - (x, y)
    return bool(np.hypot(*away.T).min() < 8)


def rows_of(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.read_text())))


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as one:
        return one.size


def fill(table: Path, every: int = 1) -> list[dict[str, str]]:
    rows = rows_of(table)
    for k, row in enumerate(rows):
        good = is_particle(row["micrograph"], float(row["x_px"]), float(row["y_px"]))
        row["particle"] = ("no", "yes")[good] if k % every == 0 else ""
        row["junk"] = "" if good else ("1", "0")[k % 2]
    with table.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return rows


def run(*words: object) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(app, [str(word) for word in words])


def test_the_whole_way_from_a_pick_to_a_guaranteed_precision(out: Path) -> None:
    first = run("audit", out)
    assert first.exit_code == 0 and "picks to judge" in first.output
    folder = out / "audit"
    rows = rows_of(folder / "audit.csv")
    assert [int(row["number"]) for row in rows] == list(range(1, len(rows) + 1))
    page = (folder / "index.html").read_text()
    for row in rows:
        assert row["picture"] in page and size_of(folder / row["picture"]) == (320, 354)
    assert "<script" not in page and "://" not in page
    wide, high = size_of(folder / "sheet.png")
    assert wide >= 6 * 320 and high >= len(rows) // 6 * 354
    # Neither score nor order tells the judge anything.
    kept = KeptAudit.read(out / ".frostpick")
    assert kept is not None and len(kept.drawn) == len(rows)
    scores = np.array([one.score for one in kept.drawn])
    assert abs(np.corrcoef(np.arange(len(rows)), scores)[0, 1]) < 0.35
    assert not any(f"{one:.2f}" in (folder / "audit.csv").read_text() for one in scores[:5])

    filled = fill(folder / "audit.csv")
    answers = (folder / "audit.csv").read_bytes()
    told = run("audit", out)
    assert told.exit_code == 0
    assert f"{len(rows)} of {len(rows)} picks are judged" in told.output
    assert (folder / "audit.csv").read_bytes() == answers
    table = rows_of(folder / "precision.csv")
    (now,) = [row for row in table if row["in_force"] == "1"]
    picks = rows_of(out / "picks.csv")
    selected = [row for row in picks if row["selected"] == "1"]
    assert int(now["picks"]) == len(selected)
    truth = np.mean(
        [is_particle(row["micrograph"], float(row["x_px"]), float(row["y_px"])) for row in selected]
    )
    assert float(now["low_95"]) <= truth <= float(now["high_95"])
    assert {row["junk"] for row in filled} == {"", "1", "0"} and "are junk" in told.output

    done = run("select", out, "--threshold", "precision=0.6")
    assert done.exit_code == 0
    record = json.loads((out / "run.json").read_text())
    promise = record["promise"]
    assert promise["guaranteed"] and promise["judged_picks"] > 20 and promise["bound_95"] >= 0.6
    assert not any("guaranteed" in one for one in record.get("warnings", ()))
    assert f"{promise['judged_picks']} judged picks" in (out / "report.html").read_text()
    chosen = [row for row in rows_of(out / "picks.csv") if row["selected"] == "1"]
    right = [is_particle(r["micrograph"], float(r["x_px"]), float(r["y_px"])) for r in chosen]
    assert len(chosen) >= 20 and np.mean(right) >= 0.6


def test_it_is_the_same_by_its_seed_and_another_by_another(out: Path) -> None:
    tables = []
    for seed in (0, 0, 5):
        (folder,) = api.audit(out, picks=10, seed=seed, new=True).folders
        tables.append((folder / "audit.csv").read_bytes())
    assert tables[0] == tables[1] != tables[2]
    assert {path.name for path in out.glob("audit*")} == {"audit", "audit-2", "audit-3"}


def test_more_draws_others_of_the_same_strata_and_all_answers_count(out: Path) -> None:
    (first,) = api.audit(out, picks=20).folders
    rows = fill(first / "audit.csv", every=2)
    half = api.audit(out)
    assert (half.judged, half.drawn) == (10, 20) and half.now is not None
    both = api.audit(out, more=True)
    assert (both.judged, [one.name for one in both.folders]) == (10, ["audit", "audit-2"])
    others = fill(both.folders[1] / "audit.csv")
    assert int(others[0]["number"]) == 21
    places_of = [{(r["micrograph"], r["x_px"], r["y_px"]) for r in some} for some in (rows, others)]
    assert not places_of[0] & places_of[1]
    after = api.audit(out)
    assert after.judged == 10 + len(others) and after.now is not None
    assert after.now.high - after.now.low < half.now.high - half.now.low


def test_what_has_no_picks_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picking job here; give the output folder of pick"):
        api.audit(tmp_path / "nowhere")
    for task, told in (
        ("train", "train makes a model and no picks"),
        ("verify", "a job of verify"),
    ):
        spool = tmp_path / task / ".frostpick"
        spool.mkdir(parents=True)
        (spool / "job.json").write_text(json.dumps({"task": task}))
        with pytest.raises(InputError, match=told):
            api.audit(tmp_path / task)


def test_a_lost_micrograph_is_named_and_leaves_nothing_half_done(
    out: Path, micrographs: Path, tmp_path: Path
) -> None:
    state = json.loads((out / ".frostpick" / "delivered.json").read_text())
    state["files"] = dict.fromkeys(state["files"], str(tmp_path / "moved.mrc"))
    (out / ".frostpick" / "delivered.json").write_text(json.dumps(state))
    done = run("audit", out)
    assert done.exit_code != 0 and "moved.mrc" in str(done.exception)
    assert not list(out.glob("audit*")) and not list((out / ".frostpick").glob(".audit*"))
    del state["files"]
    (out / ".frostpick" / "delivered.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="run it again on their files: nothing is picked twice"):
        api.audit(out)


NUMBERS = frozenset(range(1, 6))


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "audit.csv"
    path.write_text("\n".join(("number,micrograph,particle,junk", *lines)) + "\n")
    return path


def test_answers_are_read_however_they_are_spelled(tmp_path: Path) -> None:
    path = table(tmp_path, "5,a,Yes,", "1,a, n ,y", "2,a,TRUE,", "", "3,a,0,false", "4,a,,")
    found = read_answers(path, NUMBERS)
    assert {n: one[0] for n, one in found.items() if one[0] == one[0]} == {5: 1, 1: 0, 2: 1, 3: 0}
    assert (found[1][1], found[3][1]) == (1, 0)
    path.write_text("\ufeffNumber;Particle\n1;y\n2;f\n")
    assert {n: one[0] for n, one in read_answers(path, NUMBERS).items()} == {1: 1, 2: 0}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["1,a,yes,", "2,a,maybe,"], r"line 3: particle is 'maybe'; expected yes, no, or nothing"),
        (["1,a,no,perhaps"], r"line 2: junk is 'perhaps'; expected yes, no"),
        (["9,a,yes,"], r"line 2: the number is '9'; expected one of 1 to 5"),
        (["x,a,yes,"], r"line 2: the number is 'x'; expected one of 1 to 5"),
        (["1,a,yes,", "1,a,no,"], r"line 3: pick 1 stands twice, with two answers"),
    ],
)
def test_other_answers_are_one_sentence_with_their_line(tmp_path: Path, lines, told) -> None:
    with pytest.raises(InputError, match=told):
        read_answers(table(tmp_path, *lines), NUMBERS)


def test_a_table_that_is_gone_or_another_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no longer there; it held the answers"):
        read_answers(tmp_path / "audit.csv", NUMBERS)
    (tmp_path / "audit.csv").write_text("micrograph,x_px,y_px\n")
    with pytest.raises(InputError, match="first line is 'micrograph,x_px,y_px'; expected the col"):
        read_answers(tmp_path / "audit.csv", NUMBERS)
