"""Jobs that cannot work, in the real RELION 3.1: failed, one sentence, never running for ever."""

import sys

import pytest

pytestmark = pytest.mark.relion
MICROGRAPHS = {"in_mic": "JoinStar/job003/join_mics.star"}


@pytest.fixture(scope="module")
def project(imported, tmp_path_factory):
    return imported.copy(tmp_path_factory.mktemp("failures") / "project")


def fails(project, *, task="pick", inputs=MICROGRAPHS, **others):
    job = project.external(task, inputs=inputs, **others)
    assert project.run(job) == "failed", project.output(job)
    assert project.markers(job) == ["FAILURE"]
    assert project.nodes(job) == {}
    lines = (project.folder / job / "run.err").read_text().strip().splitlines()
    assert not any(line.startswith("Traceback") for line in lines)
    return lines[-1]


def test_wrong_model_path(project):
    assert "no/such/model" in fails(project, model="no/such/model")


def test_corrupt_micrographs_file(project):
    (project.folder / "corrupt.star").write_bytes(b"\x00\xff garbage\nnot a star file\n")
    assert "corrupt.star" in fails(project, inputs={"in_mic": "corrupt.star"}, diameter=120)


def test_unknown_label(project):
    text = fails(project, diameter=120, treshold=0.5)
    assert "'treshold'" in text
    assert "threshold" in text


def test_no_diameter_for_a_model_without_one(project):
    assert "diameter" in fails(project, model="blob")


def test_training_from_nothing_without_picks(project):
    told = fails(project, task="train", diameter=120, **{"start_model": "none"})
    assert "Input coordinates" in told


def test_broken_environment(project):
    """torch cannot be imported."""
    stub = project.folder / "stub"
    stub.mkdir()
    (stub / "torch.py").write_text("raise ImportError('libtorch.so is not there')\n")
    program = project.program("pick")
    broken = program.with_name("broken-pick")
    broken.write_text(program.read_text().replace("PYTHONPATH=", f"PYTHONPATH={stub}:"))
    broken.chmod(0o755)
    assert "libtorch.so is not there" in fails(project, program=broken, diameter=120)


def test_only_bad_micrographs(project):
    (project.folder / "bad.mrc").write_bytes(b"this is no micrograph")
    star = project.folder / "bad.star"
    star.write_text("\ndata_\n\nloop_\n_rlnMicrographName #1\nbad.mrc\ngone.mrc\n\n")
    assert "bad.mrc" in fails(project, inputs={"in_mic": "bad.star"}, diameter=120)


def test_one_bad_micrograph_is_listed_and_the_rest_picked(project):
    bad, good = "Micrographs/gridA/mic.003.mrc", "Micrographs/gridA/mic_001.mrc"
    path = project.folder / bad
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    job = project.external("pick", inputs=MICROGRAPHS, model="blob", diameter=120)
    try:
        assert project.run(job) == "finished", project.output(job)
    finally:
        path.write_bytes(whole)
    assert bad in (project.folder / job / "run.err").read_text()
    listed = (project.folder / job / "autopick.star").read_text()
    assert bad not in listed
    assert good in listed
    assert not (project.folder / job / "Micrographs/gridA/mic.003_autopick.star").exists()
    project.extract(job)
    assert project.run(job) == "finished", project.output(job)
    assert bad in (project.folder / job / "autopick.star").read_text()


def test_equal_names_in_two_motion_correction_jobs(project):
    star = project.folder / "two_jobs.star"
    rows = "MotionCorr/job002/Movies/x.mrc\nMotionCorr/job003/Movies/x.mrc\n"
    star.write_text(f"\ndata_\n\nloop_\n_rlnMicrographName #1\n{rows}\n")
    text = fails(project, inputs={"in_mic": "two_jobs.star"}, diameter=120)
    assert "MotionCorr/job002/Movies/x.mrc" in text
    assert "MotionCorr/job003/Movies/x.mrc" in text


def test_a_queue_that_starts_the_program_more_than_once(project):
    """``srun -n 2`` in the template: rank 1 leaves at once, rank 0 works."""
    script = project.folder / "queue.sh"
    script.write_text("#!/bin/sh\nSLURM_PROCID=1 XXXcommandXXX\nSLURM_PROCID=0 XXXcommandXXX\n")
    submit = project.folder / "submit"
    submit.write_text(f'#!/bin/sh\n{sys.executable} -c "pass"\nexec sh "$1" >> "$1.out" 2>&1\n')
    submit.chmod(0o755)
    job = project.external(
        "pick",
        inputs=MICROGRAPHS | {"do_queue": "Yes", "qsub": submit, "qsubscript": script},
        model="blob",
        diameter=120,
    )
    assert project.run(job) == "finished", project.output(job)
    printed = (project.folder / job / "run_submit.script.out").read_text()
    assert printed.count("picking: 5 of 5") == 1
