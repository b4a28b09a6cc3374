"""The real scheduler of RELION 3.1: a session whose first micrograph is not whole yet."""

import os
import shutil
import subprocess

import pytest
from waits import LONG

pytestmark = pytest.mark.relion
JOB = "External/job001/"
NAME = "Micrographs/first.mrc"
PICK = """
data_job

_rlnJobType                            99
_rlnJobIsContinue                       0

data_joboptions_values

loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
fn_exe {program}
in_mic session.star
nr_threads 1
do_queue No
param1_label model
param1_value blob
param2_label diameter
param2_value 120
param3_label pixel_size
param3_value 3
"""


@pytest.fixture
def session(imported, tmp_path):
    """A project with one micrograph, cut short, and a schedule that picks again and again."""
    project = type(imported)(tmp_path / "project")
    project.folder.mkdir()
    (project.folder / "default_pipeline.star").write_text(
        "\ndata_pipeline_general\n\n_rlnPipeLineJobCounter 1\n\n"
    )
    project.add_micrograph(NAME, (480, 600), 3.0, 12, 1)
    path = project.folder / NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    (project.folder / "session.star").write_text(
        f"\ndata_\n\nloop_\n_rlnMicrographName #1\n{NAME}\n\n"
    )
    (project.folder / "pickjob.star").write_text(PICK.format(program=project.program("pick")))
    for words in (
        ["--add", "variable", "--name", "pause", "--value", "1"],
        ["--add", "job", "--i", "pick", "--mode", "continue"],
        ["--add", "operator", "--type", "wait", "--i", "pause"],
        ["--add", "edge", "--i", "pick", "--o", "WAIT_pause"],
        ["--add", "edge", "--i", "WAIT_pause", "--o", "pick"],
        ["--set_current_node", "pick"],
    ):
        schedule(project, *words)
    return project, whole


def schedule(project, *words):
    return subprocess.run(
        ["relion_scheduler", "--schedule", "session", *words],
        cwd=project.folder,
        capture_output=True,
        check=True,
        timeout=LONG,
    )


def test_the_loop_goes_on_when_the_first_round_has_nothing_to_read(session):
    if shutil.which("relion_scheduler") is None:
        pytest.skip("RELION's scheduler is not installed")
    project, whole = session
    job = project.folder / JOB
    process = subprocess.Popen(
        ["relion_scheduler", "--schedule", "session", "--run"],
        cwd=project.folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        project.wait_for(lambda: project.markers(JOB))
        assert project.markers(JOB) == ["SUCCESS"], project.output(JOB)
        assert "nothing to do yet" in (job / "run.err").read_text()
        assert (job / "logfile.pdf").read_bytes().startswith(b"%PDF")
        (project.folder / NAME).write_bytes(whole)
        project.wait_for(lambda: (job / "Micrographs/first_autopick.star").exists())
        project.wait_for(lambda: project.markers(JOB) == ["SUCCESS"])
    finally:
        process.terminate()
        process.wait(LONG)
    recall, precision = project.recall_and_precision(JOB)
    assert recall > 0.8 and precision > 0.8
