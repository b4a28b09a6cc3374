"""Continue, abort and kill of a picking job in the real RELION 3.1."""

import os
import signal

import pytest

pytestmark = pytest.mark.relion
MICROGRAPHS = {"in_mic": "Import/job001/micrographs.star"}
LATE = "Micrographs/gridA/late.mrc"


@pytest.fixture
def project(imported, tmp_path):
    return imported.copy(tmp_path / "project")


@pytest.fixture
def many(project):
    """A project with a hundred names for one large micrograph: a job that lasts."""
    first = "Micrographs/many/m000.mrc"
    project.add_micrograph(first, (1200, 1300), 3.0, 60, 11)
    names = [f"Micrographs/many/m{n:03}.mrc" for n in range(100)]
    for name in names[1:]:
        os.link(project.folder / first, project.folder / name)
    star = project.folder / "Import/job001/micrographs.star"
    text = star.read_text().partition("Micrographs/")[0]
    star.write_text(text + "".join(f"{name} 1\n" for name in names) + "\n")
    return project, names


def results(project, job):
    """Return the stored result files with their times of writing."""
    folder = project.folder / job / ".frostpick" / "picks"
    return {p.name: p.stat().st_mtime_ns for p in folder.glob("*.npz")}


def listed(project, job):
    """Return how many micrographs the list of coordinates names."""
    return (project.folder / job / "autopick.star").read_text().count("_autopick.star\n")


def last_run(project, job):
    """Return what the last start of a job printed."""
    return project.output(job).rpartition("frostpick 0")[2]


def test_continue(project):
    """One job, continued after each change that a user or a microscope makes."""
    job = project.external("pick", inputs=MICROGRAPHS, model="blob", threshold="auto", diameter=120)
    assert project.run(job) == "finished", project.output(job)
    first, nodes = results(project, job), project.nodes(job)
    name = "Micrographs/gridA/mic_001.mrc"
    picks = project.picks(job, name)

    # A micrograph arrives: it alone is picked, by the threshold of the others.
    star = project.folder / MICROGRAPHS["in_mic"]
    project.add_micrograph(LATE, (444, 333), 3.0, 8, 21)
    star.write_text(star.read_text().rstrip() + f"\n{LATE} 1\n\n")
    assert project.run(job) == "finished", project.output(job)
    second = results(project, job)
    assert len(second) == len(first) + 1
    assert first.items() <= second.items()
    assert ": 1 to pick" in last_run(project, job)
    assert len(project.picks(job, LATE)) >= 6
    assert (project.picks(job, name) == picks).all()
    assert listed(project, job) == len(second) == 4
    assert project.nodes(job) == nodes

    # Another threshold: no inference.
    project.edit(job, "param2_value", "-4.0")
    assert project.run(job) == "finished", project.output(job)
    assert results(project, job) == second
    assert ": 0 to pick" in last_run(project, job)
    assert len(project.picks(job, name)) > len(picks)

    # Another scale: all is picked again. A micrograph is gone: so are its coordinates.
    project.edit(job, "param3_value", "100")
    kept = [line for line in star.read_text().splitlines() if "mic.003" not in line]
    star.write_text("\n".join(kept) + "\n")
    assert project.run(job) == "finished", project.output(job)
    third = results(project, job)
    assert sum(third[key] != second[key] for key in second) == 3
    assert "3 micrographs picked again" in last_run(project, job)
    assert not (project.folder / job / "Micrographs/gridA/mic.003_autopick.star").exists()
    assert listed(project, job) == 3


def test_abort_then_continue(many):
    project, names = many
    job = project.external("pick", inputs=MICROGRAPHS, model="blob", diameter=120)
    process = project.start(job)
    project.wait_for(lambda: len(results(project, job)) >= 2)
    (project.folder / job / "RELION_JOB_ABORT_NOW").touch()
    project.finish(job, process)
    assert project.status(job) == "aborted", project.output(job)
    assert project.markers(job) == ["ABORTED"]
    kept = results(project, job)
    assert 2 <= len(kept) < len(names)
    project.edit(job, "other_args", f'"--max-micrographs {len(kept) + 3}"')
    assert project.run(job) == "finished", project.output(job)
    assert kept.items() <= results(project, job).items()


def test_a_killed_queue_job_is_a_failure(many):
    project, names = many
    job = project.external("pick", inputs=MICROGRAPHS, model="blob", diameter=120)
    process = project.start(job)
    project.wait_for(lambda: len(results(project, job)) >= 2)
    project.stop(job, signal.SIGTERM)
    project.finish(job, process)
    assert project.status(job) == "failed", project.output(job)
    assert project.markers(job) == ["FAILURE"]
    assert 2 <= len(results(project, job)) < len(names)
    assert "stopped by" in project.output(job)
