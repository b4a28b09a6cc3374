"""Our jobs in the real ccpem-pipeliner, which is Doppio's engine, in an environment of its own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from made_images import draw_soft_discs, places_apart, write_mrc
from peer_environments import ROOT, environment
from PIL import Image
from waits import LONG

from frostpick._version import __version__
from frostpick.errors import option
from frostpick_jobs.cli.relion_job import read_command_line
from frostpick_jobs.tasks.declarations import task_named, tasks_on

pytestmark = [pytest.mark.peer_env, pytest.mark.slow]

PIXEL_SIZE_A, DIAMETER_A, SHAPE = 3.0, 120.0, (400, 480)
TASKS = [task.name for task in tasks_on("relion")]
STAR = """
data_optics

loop_
_rlnOpticsGroup
_rlnMicrographPixelSize
1 {pixel_size}

data_micrographs

loop_
_rlnMicrographName
_rlnOpticsGroup
{rows}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder of two micrographs with discs at known places, and the list of them."""
    folder = tmp_path_factory.mktemp("doppio")
    truth = {}
    for seed, name in enumerate(("Micrographs/a.mrc", "Micrographs/b.mrc")):
        rng = np.random.default_rng(seed)
        truth[name] = places_apart(rng, SHAPE, 14 - 4 * seed, 30.0, 52.0)
        image = rng.normal(size=SHAPE)
        draw_soft_discs(image, truth[name], 1.0, 17.0, 1.5)
        write_mrc(folder / name, image.astype(np.float32), PIXEL_SIZE_A)
    rows = "\n".join(f"{name} 1" for name in truth)
    (folder / "micrographs.star").write_text(STAR.format(pixel_size=PIXEL_SIZE_A, rows=rows))
    return folder, truth


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The folder that ``FROSTPICK_BIN`` names: our programs, which are not on PATH."""
    folder = tmp_path_factory.mktemp("programs")
    for task in TASKS:
        path = folder / f"frostpick-relion-{task}"
        run = f'exec {sys.executable} -m frostpick_jobs.cli.relion {task} "$@"'
        path.write_text(f"#!/bin/sh\nexport PYTHONPATH={ROOT}/plugin:{ROOT}/external_job\n{run}\n")
        path.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def answers(project, programs, tmp_path_factory):
    """What the pipeliner says of our jobs, with our distribution installed beside it."""
    python = environment("pipeliner", "ccpem-pipeliner>=1.6,<2", "hatchling>=1.26")
    site, told = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("told") / "answers.json"
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    source = str(ROOT / "external_job" / "doppio")
    subprocess.run(
        [python, "-m", "pip", *install, "--no-build-isolation", "--target", site, source],
        check=True,
        timeout=LONG,
    )
    added = {"PYTHONPATH": str(site), "FROSTPICK_BIN": str(programs), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, ROOT / "tests" / "peers" / "doppio" / "in_pipeliner.py", told],
        cwd=project[0],
        env=os.environ | added,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(told.read_text())


def test_the_pipeliner_finds_every_task_without_frostpick_in_its_environment(answers):
    assert not answers["torch"] and not answers["frostpick"]
    assert set(answers["jobs"]) == {f"frostpick.{task}" for task in TASKS}
    for job in answers["jobs"].values():
        assert job["category"] == "Automated Particle Picking"
        assert job["available"] and job["version"] == __version__
        assert {"Main", "Data", "Model", "Running options", "Advanced"} <= set(job["groups"])
        assert job["references"] and job["title"].startswith("frostpick: ")
    assert "10.1038/s41592-019-0575-8" in answers["jobs"]["frostpick.pick"]["references"][0]


def test_its_commands_are_lines_that_our_programs_take(answers, programs):
    read = {}
    for task, told in answers["commands"].items():
        assert told["words"][0] == str(programs / f"frostpick-relion-{task}")
        read[task] = read_command_line(task_named(task), told["words"][1:])
        assert read[task][0].prefix == "AutoPick/job099/"
    arguments, settings = read["train"]
    assert (arguments.in_mics, arguments.in_coords) == ("micrographs.star", "picks.star")
    assert settings == task_named("train").settings(diameter=120.0)
    assert read["iterate"][0].in_parts == "some.star" and read["iterate"][1].rounds == 2
    expected = task_named("pick").settings(model="blob", threshold="p=0.6", live=True)
    assert read["pick"][1] == expected
    assert read["fewshot"][1].method == "cryomae"
    assert read["prune"][0].files == {"labels": "good.star", "bad": "rest"}
    assert read["verify"][1].threads == 3


def test_nodes_are_those_of_the_rows_that_were_given(answers):
    nodes = {task: told["nodes"] for task, told in answers["commands"].items()}
    job = "AutoPick/job099/"
    coordinates = "MicrographCoordsGroup.star.relion.autopick.frostpick"
    assert (
        nodes["train"][job + "model/model.safetensors"] == "MlModel.safetensors.frostpick.picking"
    )
    assert nodes["verify"] == {
        job + "autopick.star": coordinates,
        job + "logfile.pdf": "LogFile.pdf.relion.frostpick",
    }
    particles = "ParticleGroupMetadata.star.relion.frostpick"
    assert nodes["prune"] == {
        job + "particles.star": particles,
        job + "rejected.star": particles + ".rejected",
        job + "logfile.pdf": "LogFile.pdf.relion.frostpick",
    }


def test_mistakes_are_told_before_a_job_starts(answers):
    # Files that are still to be made are a warning.
    assert all(kind == "warning" for found in answers["right"].values() for kind, _ in found)
    errors = {
        task: [text for kind, text in found if kind == "error"]
        for task, found in answers["wrong"].items()
    }
    assert errors["pick"] == ["This option is required"]
    assert errors["fewshot"] == ["Give Coordinates or Particles."]
    (text,) = errors["prune"]
    assert "required" in text and "Coordinates" in text
    assert errors["verify"] == ["Give only one of Coordinates and Particles."]


def test_a_job_runs_to_its_end_and_its_picks_are_the_particles(answers, project):
    folder, truth = project
    told = answers["picked"]
    assert told["status"] and told["version"] == __version__
    files = {name.removeprefix(told["job"]) for name in told["nodes"]}
    assert files == {"autopick.star", "logfile.pdf"}
    assert all((folder / name).is_file() for name in told["nodes"])
    assert told["metadata"]["counts"]["micrographs"] == 2
    assert told["metadata"]["settings"]["diameter"] == DIAMETER_A
    for name, places in truth.items():
        picks = read_picks(told["first"][told["job"] + name.replace(".mrc", "_autopick.star")])
        away = np.hypot(*(picks[:, None] - places[None]).transpose(2, 0, 1))
        assert (away.min(0) < 5).all(), f"{name}: a disc is not picked"
    # What Doppio's own viewer is given of a micrograph.
    a = read_picks(told["first"][told["job"] + "Micrographs/a_autopick.star"])
    assert told["image"]["Particle coordinates"] == a.tolist()


def test_a_continue_takes_another_threshold_without_picking_again(answers):
    told = answers["picked"]
    again = told["continued"]
    _, _, log = again["log"].rpartition("running job")
    assert "--threshold p=0.95" in log and "2 micrographs: 0 to pick" in log
    assert "threshold: score >= 2.944 (p=0.95)" in log  # log(0.95 / 0.05)
    for name, text in told["first"].items():
        scores = read_picks(text, columns=slice(2, 3))
        assert len(read_picks(again["picks"][name])) == (scores > np.log(0.95 / 0.05)).sum()


def test_displays_show_the_picks_where_they_are(answers, project):
    folder, truth = project
    told = answers["picked"]
    shown = {}
    for one in told["displays"]:
        shown.setdefault(one["dobj_type"], []).append(one)
    assert set(shown) == {"table", "image", "carousel", "histogram", "html"}
    counts = {}
    for one in shown["image"]:
        micrograph, star = one["associated_data"]
        picks = read_picks(told["first"][star])
        counts[micrograph] = len(picks)
        picture = np.asarray(Image.open(folder / one["image_path"]).convert("RGB"), int)
        assert picture.shape[:2] == SHAPE
        drawn = np.abs(picture - (255, 190, 0)).sum(-1) == 0
        # A circle of 120 A is 20 pixels wide from its centre; nothing is drawn at the centre.
        for x, y in picks[(picks[:, 0] < SHAPE[1] - 22) & (picks[:, 0] > 22)].astype(int):
            assert drawn[y, x + 18 : x + 22].any() and drawn[y, x - 21 : x - 17].any()
        others = np.hypot(*(picks[:, None] - picks[None]).transpose(2, 0, 1)) + 99 * np.eye(
            len(picks)
        )
        for x, y in picks[others.min(1) > 30].astype(int):
            assert not drawn[y, x]
    assert set(counts) == set(truth)
    by_micrograph, by_probability = shown["histogram"]
    assert sum(by_micrograph["bins"]) == 2
    assert sum(by_probability["bins"]) == sum(counts.values())
    assert [min(counts.values()), max(counts.values())] == [
        by_micrograph["bin_edges"][0],
        by_micrograph["bin_edges"][-1],
    ]
    rows = dict(shown["table"][0]["table_data"])
    assert rows["picks selected"] == str(sum(counts.values())) and rows["diameter (A)"] == "120"


def test_a_job_without_results_tells_why(answers):
    assert answers["without"] == [
        ["pending", "frostpick is at work; the log tells how far it is", "no result yet"],
        ["pending", "frostpick has not finished this job", "frostpick: no diameter; give one"],
    ]
    assert (option("diameter"), option("device", "cpu")) == ("⟦diameter⟧", "⟦device=cpu⟧")
    assert answers["warnings"] == ["give diameter or device = cpu"]


def read_picks(text, columns=slice(0, 2)):
    """Return x and y in the text of a coordinate file, or other columns, read by hand."""
    rows = [line.split() for line in text.splitlines() if line[:1] in " 0123456789"]
    return np.array([row[columns] for row in rows if row], dtype=np.float64)
