"""The RELION host without a RELION: what it reads and what it leaves, by generation."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from made_images import write_mrc
from waits import LONG

from frostpick.errors import InputError, spelled
from frostpick.models.pruner.model import Pruner
from frostpick.types import Picks
from frostpick_jobs.cli import relion_job
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.host import RelionHost
from frostpick_jobs.job.host import MicrographOutput, Outcome
from frostpick_jobs.job.lock import job_lock
from frostpick_jobs.job.outputs import ModelOutput, PicksOutput, Report
from frostpick_jobs.job.results import Place
from frostpick_jobs.job.spelling import in_relion
from frostpick_jobs.tasks.declarations import FEWSHOT, PICK, PRUNE, TRAIN, VERIFY

pytestmark = pytest.mark.quick

GOLDEN = Path(__file__).parent / "relion_golden"
JOB = "External/job002/"
NAMES = ("MotionCorr/job002/Movies/gridA/x.12.mrc", "MotionCorr/job002/Movies/gridB/x.12.mrc")
MICROGRAPHS = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
fine 1 1.5
coarse 2 3.0

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
{} 1
{} 2

"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mics.star").write_text(MICROGRAPHS.format(*NAMES))
    for number, name in enumerate(NAMES):
        write_mrc(tmp_path / name, np.full((60, 80), number, np.float32))
    (tmp_path / JOB).mkdir(parents=True)
    return tmp_path / JOB


def host(**others):
    labelled = bool(others.keys() & {"in_coords", "in_parts"})
    return host_of(TRAIN if labelled else PICK, **{"in_mics": "mics.star"} | others)


def host_of(task, **fields):
    return RelionHost(JobArguments(Path(JOB), JOB, **fields), task)


def output(micrograph, x, y, selected):
    score = np.linspace(2, -2, len(x))
    picks = Picks.from_xy(micrograph.id, x, y, score=score, selected=selected)
    return MicrographOutput(micrograph, picks, (60, 80), 1.5)


def deliver(one, outputs):
    for item in outputs:
        one.deliver_one(item)
    one.deliver([PicksOutput(0.0, np.zeros(0), 1.0), Report({"task": "pick"})])


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("relion3", "coords_suffix_autopick.star"),
        ("relion4", "autopick.star"),
        ("relion5", "autopick.star"),
    ],
)
def test_outputs_of_a_generation(job, name, node):
    for file in ("job.star", "job_pipeline.star"):
        shutil.copy(GOLDEN / f"{name}_{file}", job / file)
    one = host()
    one.begin()
    first, second = one.micrographs()
    outputs = [
        output(first, [10.5, 79.4, 3.0, 99.0], [20.4, 0.2, 3.0, 3.0], [True, True, False, True]),
        output(second, [], [], []),
    ]
    deliver(one, outputs)
    assert not markers.present(job)
    one.end(Outcome.FINISHED)
    assert (job / markers.SUCCESS).exists()
    written = (job / "RELION_OUTPUT_NODES.star").read_bytes()
    assert written == (GOLDEN / f"{name}_nodes.star").read_bytes()
    assert (job / "autopick.star").read_bytes() == (GOLDEN / f"{name}_autopick.star").read_bytes()
    assert (job / node).is_file()
    assert (job / "coords_suffix_autopick.star").exists() == (name == "relion3")
    header, *rows = (job / "Movies/gridA/x.12_autopick.star").read_text().split("AnglePsi #5\n")
    assert "data_\n" in header
    # Rounded half up, (99, 3) is off the image, the third is not selected.
    values = [line.split() for line in rows[0].splitlines() if line]
    assert [[float(v) for v in row[:3]] for row in values] == [[11, 20, 2], [79, 0, 0.666667]]
    assert (job / "Movies/gridB/x.12_autopick.star").read_text().count("\n") >= 8


def test_stale_coordinates_go(job):
    one = host()
    one.begin()
    first, second = one.micrographs()
    deliver(one, [output(first, [5], [5], [True]), output(second, [6], [6], [True])])
    (job / "Movies/gridB/notes.star").write_text("the user's own")
    deliver(one, [output(first, [5], [5], [True])])
    assert (job / "Movies/gridA/x.12_autopick.star").exists()
    assert sorted(p.name for p in (job / "Movies/gridB").iterdir()) == ["notes.star"]


def test_micrographs_are_read_byte_for_byte(job):
    one = host()
    first, second = one.micrographs()
    assert (first.id, second.id) == NAMES
    assert (first.pixel_size_A, second.pixel_size_A) == (1.5, 3.0)
    assert (first.group, second.group) == ("fine", "coarse")
    with first.source.fetch() as path:
        assert path == Path.cwd() / NAMES[0]


def test_links_are_not_resolved_and_missing_files_are_nobodys_concern_yet(job, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}_outside"
    outside.mkdir()
    (tmp_path / "linked").symlink_to(outside)
    (tmp_path / "mics.star").write_text(MICROGRAPHS.format("linked/a.mrc", "linked/b.mrc"))
    assert [m.id for m in host().micrographs()] == ["linked/a.mrc", "linked/b.mrc"]


def test_a_micrograph_named_twice(job, tmp_path):
    (tmp_path / "mics.star").write_text(MICROGRAPHS.format(NAMES[0], NAMES[0]))
    with pytest.raises(InputError, match="more than once, in rows 1 and 2"):
        host().begin()


@pytest.mark.parametrize("kind", ["list", "suffix"])
def test_labels_from_either_kind_of_coordinates(job, tmp_path, kind):
    folder = tmp_path / "ManualPick/job007/Movies/gridA"
    folder.mkdir(parents=True)
    (folder / "x.12_manualpick.star").write_text(
        "\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n10 20\n30.5 40\n\n"
    )
    if kind == "list":
        node = "ManualPick/job007/manualpick.star"
        text = "\ndata_coordinate_files\n\nloop_\n_rlnMicrographName #1\n"
        text += "_rlnMicrographCoordinates #2\n"
        text += f"{NAMES[0]} ManualPick/job007/Movies/gridA/x.12_manualpick.star\n\n"
    else:
        node, text = "ManualPick/job007/coords_suffix_manualpick.star", "mics.star\n"
    (tmp_path / node).write_text(text)
    one = host(in_coords=node)
    one.begin()
    labels = one.labels()
    assert list(labels) == [NAMES[0]]
    np.testing.assert_array_equal(labels[NAMES[0]].x_px, [10, 30.5])
    np.testing.assert_array_equal(labels[NAMES[0]].y_px, [20, 40])


def test_labels_from_particles_are_recentred(job, tmp_path):
    columns = ["CoordinateX", "CoordinateY", "MicrographName", "OpticsGroup", "OriginXAngst"]
    columns.append("OriginYAngst")
    loop = "".join(f"_rln{name} #{n}\n" for n, name in enumerate(columns, 1))
    (tmp_path / "particles.star").write_text(
        "\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnImagePixelSize #2\n1 6.0\n2 6.0\n\n"
        f"\ndata_particles\n\nloop_\n{loop}"
        f"20 30 {NAMES[0]} 1 3.0 -1.5\n20 30 {NAMES[1]} 2 3.0 -1.5\n\n"
    )
    labels = host(in_parts="particles.star").labels()
    # The centre is the coordinate less the origin, in pixels of each micrograph.
    assert [(v.x_px[0], v.y_px[0]) for v in labels.values()] == [(18, 31), (19, 30.5)]


@pytest.mark.parametrize(
    ("outcome", "asked", "marker"),
    [
        (Outcome.FINISHED, False, markers.SUCCESS),
        (Outcome.FAILED, False, markers.FAILURE),
        (Outcome.FAILED, True, markers.FAILURE),
        (Outcome.ABORTED, True, markers.ABORTED),
        (Outcome.ABORTED, False, markers.FAILURE),
    ],
)
def test_exit_files(job, outcome, asked, marker):
    if asked:
        (job / markers.ABORT_NOW).touch()
    host().end(outcome)
    assert [p.name for p in job.glob("RELION_JOB_EXIT_*")] == [marker]


def test_the_end_never_raises(job):
    shutil.rmtree(job)
    host().end(Outcome.FAILED)


def test_a_second_start_leaves_the_running_job_alone(job, monkeypatch):
    monkeypatch.setattr(relion_job, "log_to_run_files", lambda: None)
    release, held = threading.Event(), threading.Event()

    def hold():
        with job_lock(job / ".frostpick"):
            held.set()
            release.wait(LONG)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(LONG)
    try:
        argv = ["--o", JOB, "--in_mics", "mics.star"]
        assert relion_job.run_relion_job("pick", argv) == relion_job.BUSY
    finally:
        release.set()
        thread.join()
    assert not markers.present(job)


def test_fields_and_labels_are_inputs_by_the_kinds_that_the_task_takes(job):
    fields = {"in_mics": "m.star", "in_coords": "c.star", "in_parts": "p.star"}
    files = {"labels": "g.star", "bad": "rest"}
    assert host_of(PICK, **fields).inputs == {"micrographs": ("m.star",)}
    both = ("c.star", "p.star")
    assert host_of(TRAIN, **fields).inputs == {"micrographs": ("m.star",), "labels": both}
    assert host_of(FEWSHOT, **fields).inputs == {"micrographs": ("m.star",), "labels": both}
    rows = {"micrographs": ("m.star",), "picks": ("c.star",), "particles": ("p.star",)}
    assert host_of(VERIFY, files=files, **fields).inputs == rows
    assert host_of(PRUNE, files=files, **fields).inputs == {
        **rows,
        "labels": ("g.star",),
        "bad": ("rest",),
    }
    assert host_of(PRUNE).inputs == dict.fromkeys([*rows, "labels", "bad"], ())


def test_missing_files_of_fields_and_labels_are_told(job, tmp_path):
    (tmp_path / "p.star").touch()
    for fields, files, sentence in (
        (
            {"in_parts": "none.star"},
            {},
            "none.star: no such file (field 'Input particles'); run the job",
        ),
        ({"in_mics": "m.star"}, {}, "m.star: no such file (field 'Input micrographs')"),
        ({"in_coords": "c.star"}, {}, "c.star: no such file (field 'Input coordinates')"),
        ({"in_parts": "p.star"}, {"labels": "g.star"}, "g.star: no such file (label 'labels')"),
        (
            {"in_parts": "p.star"},
            {"labels": "p.star", "bad": "b.star"},
            "b.star: no such file (label bad)",
        ),
    ):
        with pytest.raises(InputError) as refused:
            host_of(PRUNE, files=files, **fields).begin()
        assert sentence in spelled(refused.value, in_relion)
    host_of(PRUNE, files={"labels": "p.star", "bad": "rest"}, in_parts="p.star").begin()


@pytest.mark.parametrize("name", ["relion3", "relion5"])
def test_every_output_has_a_place_that_can_be_named_before_the_job(job, name):
    for file in ("job.star", "job_pipeline.star"):
        shutil.copy(GOLDEN / f"{name}_{file}", job / file)
    coordinates = {"relion3": "coords_suffix_autopick.star", "relion5": "autopick.star"}[name]
    few = host_of(FEWSHOT, in_mics="mics.star")
    assert few.place == Place(JOB, Path(JOB))
    assert few.reference("picks") == JOB + coordinates
    assert few.reference("model") == f"{JOB}model"
    picks = {"in_mics": "mics.star", "in_coords": "c.star"}
    assert host_of(PRUNE, **picks).reference("kept") == JOB + coordinates
    assert host_of(PRUNE, in_parts="p.star").reference("kept") == f"{JOB}particles.star"
    assert host_of(PRUNE, in_parts="p.star").reference("pruner") == f"{JOB}pruner"
    assert host_of(VERIFY, in_parts="p.star").reference("verified") == f"{JOB}particles.star"


def test_a_model_stands_among_the_nodes_and_a_fitted_pruner_does_not(job, pruner):
    for file in ("job.star", "job_pipeline.star"):
        shutil.copy(GOLDEN / f"relion5_{file}", job / file)
    one, fitted = host(in_parts="mics.star"), Pruner.load(Path(pruner))
    one.begin()
    for name, nodes in (
        ("model", ["model/model.json", "logfile.pdf"]),
        ("pruner", ["logfile.pdf"]),
    ):
        one.deliver([ModelOutput(name, fitted), Report({"task": "train"})])
        assert Pruner.load(job / name).digest == fitted.digest
        # as a user copies it from the list of outputs
        assert Pruner.load(job / name / "model.json").digest == fitted.digest
        written = (job / "RELION_OUTPUT_NODES.star").read_text().splitlines()
        assert [w.split()[0] for w in written if w.startswith(JOB)] == [JOB + n for n in nodes]


def test_a_stack_in_the_field_of_particles_is_refused_as_no_star_file(job, tmp_path):
    write_mrc(tmp_path / "p.mrcs", np.zeros((2, 8, 8), np.float32))
    one = host_of(VERIFY, in_parts="p.mrcs")
    one.begin()
    with pytest.raises(InputError, match=r"p\.mrcs"):
        one.input_rows()
