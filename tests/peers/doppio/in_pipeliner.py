"""Runs in the pipeliner's own environment: makes a project, asks it for our jobs, runs one.

``in_pipeliner.py ANSWERS`` in the project's folder writes what it found as JSON.
"""

import importlib.util
import json
import sys
from pathlib import Path

from frostpick_doppio.display import displays
from frostpick_doppio.results import warnings_of
from pipeliner.api.manage_project import PipelinerProject
from pipeliner.job_factory import get_job_types, new_job_of_type

#: What a user fills in, task by task.
FILLED = {
    "train": {"in_mics": "micrographs.star", "in_coords": "picks.star", "diameter": "120"},
    "iterate": {"in_mics": "micrographs.star", "in_parts": "some.star", "rounds": 2},
    "pick": {"in_mics": "micrographs.star", "model": "blob", "threshold": "p=0.6", "live": True},
    "fewshot": {"in_mics": "micrographs.star", "in_coords": "few.star", "method": "cryomae"},
    "prune": {"in_parts": "some.star", "labels_parts": "good.star", "bad_rest": True},
    "verify": {"in_mics": "micrographs.star", "in_coords": "picks.star", "nr_threads": 3},
}
#: What the pipeliner is to refuse.
WRONG = {
    "pick": {},
    "fewshot": {"in_mics": "micrographs.star"},
    "prune": {"in_coords": "picks.star"},
    "verify": {"in_coords": "picks.star", "in_parts": "some.star", "in_mics": "micrographs.star"},
}


def filled(task, values):
    job = new_job_of_type(f"frostpick.{task}")
    job.output_dir = "AutoPick/job099/"
    for name, value in values.items():
        job.joboptions[name].value = value
    return job


def describe(job):
    version = job.jobinfo.programs[0].get_version(timeout=120)
    return {
        "category": job.get_category_label(),
        "available": job.jobinfo.is_available,
        "version": version,
        "groups": list(job.get_joboption_groups()),
        "references": [str(one) for one in job.jobinfo.references],
        "title": job.jobinfo.display_name,
    }


def refused(task, values):
    found = filled(task, values).validate_joboptions()
    return [[one.type, one.message] for one in found]


def command(task, values):
    job = filled(task, values)
    job.create_output_nodes()
    (line,) = job.get_commands()
    return {"words": line.cmd, "nodes": {one.name: one.type for one in job.output_nodes}}


def picked(project):
    """Run a job to its end, then a Continue with another threshold."""
    asked = {"in_mics": "micrographs.star", "model": "blob", "diameter": "120", "device": "cpu"}
    asked = {"_rlnJobTypeLabel": "frostpick.pick", "nr_threads": 1, **asked}
    job = project.run_job(asked, run_in_foreground=True)
    done = project.get_job(job.output_dir)
    first = picks_in(job.output_dir)
    displays = [one.__dict__ for one in done.save_results_display_files()]
    return {
        "job": job.output_dir,
        "status": (Path(job.output_dir) / "PIPELINER_JOB_EXIT_SUCCESS").exists(),
        "nodes": {one.name: one.type for one in done.output_nodes},
        "metadata": done.gather_metadata(),
        "displays": displays,
        "version": done.jobinfo.programs[0].get_version_from_logs(job.output_dir),
        "image": done.output_nodes[0].get_image_metadata("Micrographs/a.mrc"),
        "first": first,
        "continued": continued(project, job.output_dir),
    }


def picks_in(job):
    return {str(one): one.read_text() for one in Path(job).rglob("*_autopick.star")}


def continued(project, job):
    """Go on with another threshold, as a user changes it in the form of a finished job."""
    path = Path(job) / "continue_job.star"
    values = path.read_text()
    path.write_text(values.replace("threshold         auto", "threshold         p=0.95"))
    assert path.read_text() != values, values
    project.continue_job(job, run_in_foreground=True)
    return {"picks": picks_in(job), "log": (Path(job) / "run.out").read_text()}


def without_results():
    """Return what is shown of a job at work, and of one that has failed."""
    job = Path("AutoPick/job098")
    job.mkdir(parents=True)
    (job / "run.err").write_text("frostpick: first line\nfrostpick: no diameter; give one\n")
    shown = [displays(f"{job}/", "")]
    (job / "RELION_JOB_EXIT_FAILURE").touch()
    shown.append(displays(f"{job}/", ""))
    return [[one.dobj_type, one.message, one.reason] for (one,) in shown]


def main():
    project = PipelinerProject(make_new_project=True)
    answers = {
        "torch": importlib.util.find_spec("torch") is not None,
        "frostpick": importlib.util.find_spec("frostpick") is not None,
        "jobs": {one.PROCESS_NAME: describe(one) for one in get_job_types("frostpick.")},
        "commands": {task: command(task, values) for task, values in FILLED.items()},
        "right": {task: refused(task, values) for task, values in FILLED.items()},
        "wrong": {task: refused(task, values) for task, values in WRONG.items()},
        "picked": picked(project),
        "without": without_results(),
        "warnings": warnings_of({"warnings": ["give ⟦diameter⟧ or ⟦device=cpu⟧"]}),
    }
    Path(sys.argv[1]).write_text(json.dumps(answers, default=float))


if __name__ == "__main__":
    main()
