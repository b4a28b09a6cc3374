"""Pruning as a RELION External job: what its folder holds afterwards, by generation."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc
from tiny_pruner import DIAMETER_A, PIXEL_A

import frostpick_jobs
from frostpick.errors import InputError, JobStopped
from frostpick.models.pruner.model import Pruner
from frostpick.pruning import work as engine
from frostpick.pruning.groups import Group
from frostpick.pruning.prune import GroupScores
from frostpick.training.pruner.train import BoxLabels
from frostpick_jobs.cli import relion_job
from frostpick_jobs.cli.relion import guarded
from frostpick_jobs.formats import StarTable, read_picks, read_star_blocks
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.store.prune_store import PruneStore

GOLDEN = Path(__file__).parent / "relion_golden"
JOB = "External/job009/"
SHAPE = (192, 224)
NAMES = ("MotionCorr/job002/Movies/gridA/x.12.mrc", "MotionCorr/job002/Movies/gridB/y.mrc")
DISCS = ([(50, 60), (120, 70), (170, 140)], [(60, 50), (150, 120)])
TOLD = {"diameter": DIAMETER_A, "device": "cpu", "threads": 1, "threshold": "0"}
EMPTY = ([(60, 140), (115, 130)], [(70, 140)])
MICROGRAPHS = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
one 1 {pixel}

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
{names[0]} 1
{names[1]} 1

"""
PARTICLES = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnImagePixelSize #5
_rlnImageSize #6
one            1     1.000000   300.000000     2.000000           64

"""


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])
    # run.out and run.err of a real job; here pytest holds both
    monkeypatch.setattr(relion_job, "log_to_run_files", lambda: None)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mics.star").write_text(MICROGRAPHS.format(pixel=PIXEL_A, names=NAMES))
    listed = "data_coordinate_files\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
    for number, name in enumerate(NAMES):
        write_mrc(tmp_path / name, spots_on_noise(SHAPE, DISCS[number], 40 + number))
        picks = tmp_path / f"AutoPick/job005/{number}_autopick.star"
        picks.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{x} {y}\n" for x, y in [*DISCS[number], *EMPTY[number]])
        picks.write_text(f"data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{rows}\n")
        listed += f"{name} AutoPick/job005/{number}_autopick.star\n"
    (tmp_path / "AutoPick/job005/autopick.star").write_text(listed + "\n")
    folder = tmp_path / JOB
    folder.mkdir(parents=True)
    return folder


def run(pruner: str, *words: str, task: Literal["prune", "verify"] = "prune") -> int:
    command = ["--o", JOB, *words, "--pruner", pruner, "--diameter", str(DIAMETER_A)]
    command += ["--threshold", "0"] if task == "prune" else []
    return guarded(task, [*command, "--device", "cpu", "--j", "1"])


def nodes(job: Path) -> list[list[str]]:
    text = (job / "RELION_OUTPUT_NODES.star").read_text()
    return [line.split() for line in text.splitlines() if line.startswith(JOB)]


@pytest.mark.parametrize(
    ("name", "node", "label"),
    [
        ("relion3", "coords_suffix_autopick.star", "MicrographsCoords.star.relion"),
        ("relion5", "autopick.star", "MicrographCoordsGroup.star.relion"),
    ],
)
def test_picks_give_a_coordinate_node(
    job: Path, pruner: str, name: str, node: str, label: str
) -> None:
    for file in ("job.star", "job_pipeline.star"):
        shutil.copy(GOLDEN / f"{name}_{file}", job / file)
    words = ("--in_mics", "mics.star", "--in_coords", "AutoPick/job005/autopick.star")
    assert run(pruner, *words) == 0
    assert (job / markers.SUCCESS).exists()
    assert nodes(job) == [
        [f"{JOB}{node}", "2", label],
        [f"{JOB}logfile.pdf", "13", "LogFile.pdf.relion"],
    ]
    for number, tail in enumerate(("gridA/x.12", "gridB/y")):
        kept = read_picks(job / f"Movies/{tail}_autopick.star")
        found = sorted(zip(kept.x_px.tolist(), kept.y_px.tolist(), strict=True))
        assert found == sorted((float(x), float(y)) for x, y in DISCS[number])
        assert kept.score is not None and (np.diff(kept.score) <= 0).all()
    assert len(read_picks(job / "autopick.star", Path())) == 5
    rows = list(csv.DictReader((job / "scores.csv").read_text().splitlines()))
    assert [row["keep"] for row in rows] == list("11100" + "110")


def write_particles(folder: Path) -> list[bool]:
    good = []
    text = PARTICLES + "data_particles\n\nloop_\n_rlnImageName #1\n_rlnMicrographName #2\n"
    text += "_rlnOpticsGroup #3\n_rlnCtfFigureOfMerit #4\n"
    for number, name in enumerate(NAMES):
        centres = [(c, True) for c in DISCS[number]] + [(c, False) for c in EMPTY[number]]
        image = spots_on_noise((320, 352), [(x + 64, y + 64) for x, y in DISCS[number]], 50)
        boxes = [image[y + 32 : y + 96, x + 32 : x + 96] for (x, y), _ in centres]
        stack = folder / f"Extract/job006/{number}.mrcs"
        write_mrc(stack, -np.stack(boxes))
        for n, (_, one) in enumerate(centres):
            text += f"{n + 1:08d}@Extract/job006/{number}.mrcs {name} 1 0.07{n}\n"
            good.append(one)
    (folder / "particles.star").write_text(text + "\n")
    return good


@pytest.mark.parametrize(
    "name",
    ["relion3", "relion4", "relion5"],
)
def test_particles_give_the_same_lines_and_optics(job: Path, pruner: str, name: str) -> None:
    for file in ("job.star", "job_pipeline.star"):
        shutil.copy(GOLDEN / f"{name}_{file}", job / file)
    good = write_particles(job.parents[1])
    assert run(pruner, "--in_parts", "particles.star") == 0
    golden = (GOLDEN / f"{name}_prune_nodes.star").read_text().replace("External/job002/", JOB)
    assert (job / "RELION_OUTPUT_NODES.star").read_text() == golden
    lines = Path("particles.star").read_text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.startswith("0000"))
    rows, tail = lines[first : first + len(good)], lines[first + len(good) :]
    kept = [row for row, one in zip(rows, good, strict=True) if one]
    assert (job / "particles.star").read_text() == "".join(lines[:first] + kept + tail)
    rejected = (job / "rejected.star").read_text()
    assert rejected.count("@Extract") == good.count(False)


def test_inputs_that_do_not_go_together_fail_in_one_sentence(
    job: Path, pruner: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    write_particles(job.parents[1])
    cases = [
        ((), "not neither"),
        (("--in_parts", "particles.star", "--in_coords", "x.star"), "not both"),
        (("--in_coords", "AutoPick/job005/autopick.star"), "give field 'Input micrographs'"),
        (("--in_parts", "particles.star", "--bad", "rest"), "give label 'labels'"),
        (
            ("--in_parts", "particles.star", "--labels", "nothing.star"),
            "nothing.star: no such file",
        ),
        (("--in_parts", "none.star"), "none.star: no such file"),
    ]
    for words, sentence in cases:
        caplog.clear()
        assert run(pruner, *words) == 1
        assert sentence in caplog.text
        assert (job / markers.FAILURE).exists() and not (job / markers.SUCCESS).exists()


def verified_columns(block: StarTable) -> list[list[float]]:
    """Return x, y, score and spread of a verified coordinate file."""
    return [
        [float(value) for value in block.columns[label]]
        for label in (
            "rlnCoordinateX",
            "rlnCoordinateY",
            "rlnAutopickFigureOfMerit",
            "rlnParticleSelectZScore",
        )
    ]


@pytest.mark.parametrize(
    ("name", "node"),
    [("relion3", "coords_suffix_autopick.star"), ("relion5", "autopick.star")],
)
def test_verified_picks_are_all_there_with_score_and_spread(
    job: Path, pruner: str, name: str, node: str
) -> None:
    for file in ("job.star", "job_pipeline.star"):
        shutil.copy(GOLDEN / f"{name}_{file}", job / file)
    words = ("--in_mics", "mics.star", "--in_coords", "AutoPick/job005/autopick.star")
    assert run(pruner, *words, task="verify") == 0
    assert (job / markers.SUCCESS).exists()
    assert [row[:2] for row in nodes(job)] == [
        [f"{JOB}{node}", "2"],
        [f"{JOB}logfile.pdf", "13"],
    ]
    scores = list(csv.DictReader((job / "scores.csv").read_text().splitlines()))
    assert not (job / "pruner").exists() and not (job / "rejected.star").exists()
    for number, tail in enumerate(("gridA/x.12", "gridB/y")):
        (block,) = read_star_blocks(job / f"Movies/{tail}_autopick.star").values()
        mine = [row for row in scores if row["micrograph"] == NAMES[number]]
        wanted = [*DISCS[number], *EMPTY[number]]
        found = verified_columns(block)
        assert list(zip(*found[:2], strict=True)) == [(float(x), float(y)) for x, y in wanted]
        assert np.allclose(found[2], [float(row["score"]) for row in mine], rtol=1e-4)
        assert np.allclose(found[3], [float(row["spread"]) for row in mine], rtol=1e-3, atol=1e-5)
        good = np.arange(len(wanted)) < len(DISCS[number])
        assert ((np.array(found[2]) > 0) == good).all() and min(found[3]) >= 0
    assert len(read_picks(job / "autopick.star", Path())) == 8


def test_a_verified_centre_off_the_image_is_last_and_its_row_stays(job: Path, pruner: str) -> None:
    shutil.copy(GOLDEN / "relion3_job.star", job / "job.star")
    path = Path("AutoPick/job005/0_autopick.star")
    text = path.read_text().rstrip()
    # a particle that the edge cuts and whose centre is off, one far away, and one on pixel 0
    path.write_text(f"{text}\n-3 {DISCS[0][0][1]}\n9000 -8000\n-0.4 50\n\n")
    words = ("--in_mics", "mics.star", "--in_coords", "AutoPick/job005/autopick.star")
    assert run(pruner, *words, task="verify") == 0
    (block,) = read_star_blocks(job / "Movies/gridA/x.12_autopick.star").values()
    x, y, score, spread = verified_columns(block)
    given = [*DISCS[0], *EMPTY[0]]
    assert list(zip(x, y, strict=True))[: len(given)] == [(float(a), float(b)) for a, b in given]
    assert (x[-3], y[-3]) == (0.0, float(DISCS[0][0][1]))
    assert (x[-2], y[-2]) == (SHAPE[1] - 1.0, 0.0)
    assert (x[-1], y[-1]) == (0.0, 50.0)
    assert score[-3:-1] == [-999.0, -999.0] and spread[-3:-1] == [999.0, 999.0]
    assert min(score[: len(given)] + score[-1:]) > -999
    rows = list(csv.DictReader((job / "scores.csv").read_text().splitlines()))
    off = [row for row in rows if row["score"] == ""]
    assert [(float(row["x_px"]), float(row["y_px"])) for row in off] == [
        (-3.0, float(DISCS[0][0][1])),
        (9000.0, -8000.0),
    ]
    assert {row["keep"] for row in rows} == {"1"}


@pytest.mark.parametrize("scored", [False, True])
def test_verified_particles_are_the_same_lines_with_two_columns(
    job: Path, pruner: str, scored: bool
) -> None:
    shutil.copy(GOLDEN / "relion3_job.star", job / "job.star")
    good = write_particles(job.parents[1])
    source = Path("particles.star")
    if scored:  # as Extract leaves particles that were picked by a score
        text = source.read_text().replace("_rlnCtfFigureOfMerit #4", "_rlnAutopickFigureOfMerit #4")
        source.write_text(text)
    assert run(pruner, "--in_parts", "particles.star", task="verify") == 0
    assert nodes(job)[0][:2] == [f"{JOB}particles.star", "3"]
    lines = source.read_text().splitlines()
    ours = (job / "particles.star").read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("0000"))
    new = 1 if scored else 2
    assert ours[:first] == lines[:first]
    labels = ["_rlnAutopickFigureOfMerit #5", "_rlnParticleSelectZScore #6"]
    wanted = ["_rlnParticleSelectZScore #5"] if scored else labels
    assert ours[first : first + new] == wanted
    rows = list(csv.DictReader((job / "scores.csv").read_text().splitlines()))
    for n, one in enumerate(good):
        old, line = lines[first + n].split(), ours[first + new + n].split()
        if scored:
            assert line[:3] == old[:3] and len(line) == 5
        else:
            assert ours[first + new + n].startswith(lines[first + n])
        score, spread = float(line[3 if scored else 4]), float(line[-1])
        assert (score > 0) == one
        assert score == pytest.approx(float(rows[n]["score"]), rel=1e-4)
        assert spread == pytest.approx(float(rows[n]["spread"]), rel=1e-3, abs=1e-5)
    assert ours[first + new + len(good) :] == lines[first + len(good) :]


def test_a_stopped_verifying_job_goes_on(
    job: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--in_mics", "mics.star", "--in_coords", "AutoPick/job005/autopick.star")
    put = PruneStore.put

    def put_and_stop(self: PruneStore, group: Group, found: GroupScores) -> None:
        put(self, group, found)
        (job / markers.ABORT_NOW).touch()
        raise JobStopped("enough")

    with monkeypatch.context() as patch:
        patch.setattr(PruneStore, "put", put_and_stop)
        assert run(pruner, *words, task="verify") != 0
    assert (job / markers.ABORTED).exists() and not (job / "autopick.star").exists()
    (job / markers.ABORT_NOW).unlink()
    read: list[str] = []
    original = engine.prepare_group

    def watch(group: Group, *others: object) -> object:
        read.append(group.name)
        return original(group, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "prepare_group", watch)
    assert run(pruner, *words, task="verify") == 0
    assert read == [NAMES[1]] and (job / markers.SUCCESS).exists()
    assert len(read_picks(job / "autopick.star", Path())) == 8


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_every_row_of_a_bad_list_counts_as_on_a_folder(
    job: Path, pruner: str, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Known non-particles are mostly what a picker did not select."""
    taught: list[tuple[int, int]] = []

    def watch(start: Pruner, labels: BoxLabels, *others: object, **named: object) -> None:
        taught.append((int(labels.good.sum()), int((~labels.good).sum())))
        raise InputError("enough")

    monkeypatch.setattr("frostpick.pruning.fit.tune_pruner", watch)
    head = ["micrograph", "x_px", "y_px", "score", "probability", "selected"]
    places = [(NAMES[m], *xy) for m in (0, 1) for xy in EMPTY[m]]
    bad = [[*place, "-2.0", "0.12", number == 0] for number, place in enumerate(places)]
    good = [[NAMES[0], *xy, "1.0", "0.73", number < 2] for number, xy in enumerate(DISCS[0])]
    for name, rows in (("bad", bad), ("good", good)):
        with open(f"{name}.{suffix}", "w", newline="") as handle:
            csv.writer(handle, delimiter="\t" if suffix == "tsv" else ",").writerows([head, *rows])
    labels = {"labels": f"good.{suffix}", "bad": f"bad.{suffix}"}
    words = [word for name, file in labels.items() for word in (f"--{name}", file)]
    picks = "AutoPick/job005/autopick.star"
    assert run(pruner, "--in_mics", "mics.star", "--in_coords", picks, *words) == 1
    with pytest.raises(InputError, match="enough"):
        frostpick_jobs.prune(
            "out", micrographs="mics.star", picks=picks, pruner=pruner, **TOLD, **labels
        )
    # of the good ones those that are selected, of the bad ones all: in RELION, on a folder
    assert taught == [(2, 3), (2, 3)]
