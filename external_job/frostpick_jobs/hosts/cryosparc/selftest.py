"""Answers, on a real instance, the questions that no public source answers.

Every question is asked on its own and its answer written down, a refusal too: a
refusal is an answer. The jobs that are made are titled ``frostpick selftest``; they are
deleted at the end, and those that the server does not delete are named. CryoSPARC 5 only.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from frostpick._version import __version__
from frostpick.errors import option
from frostpick_jobs.hosts.cryosparc.selftest_jobs import SelftestJobs
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.checks import check_place
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, detail, status_code
from frostpick_jobs.hosts.cryosparc.write.slots import PICKS

log = logging.getLogger(__name__)

#: Native jobs whose exact slots and parameters matter.
JOBS = (
    "inspect_picks_v2",
    "manual_picker",
    "topaz_train",
    "topaz_extract",
    "deep_picker_train",
    "deep_picker_inference",
    "extract_micrographs_cpu_parallel",
    "extract_micrographs_multi",
    "import_particles",
    "remove_duplicate_particles",
)
BY_HAND = (
    "Import Particles: does it invert y? Import a STAR of one pick and look at center_y_frac.",
    "Manual Picker: ten picks on an asymmetric micrograph, compared with their rows in the file.",
)
#: What an answer must not carry out of the building.
_PRIVATE = (
    (re.compile(r"https?://[^\s\"']+"), "<url>"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"), "<email>"),
    (re.compile(r"(?<![\w<])/(?:[\w.+-]+/)+[\w.+-]*"), "<path>"),
)

Answers = dict[str, Any]


def run_selftest(server: Server, project: str, workspace: str | None) -> Answers:
    """Return the answers as JSON values, without addresses, names and paths of the site.

    Parameters
    ----------
    workspace
        Where to make the jobs; the project's first when None.
    """
    if not client_versions.is_five():
        raise ServerError("selftest asks a CryoSPARC 5; here is cryosparc-tools for 4.7")
    client = server.client
    check_place(server, project, workspace)
    if workspace is None:
        spaces = server.call(
            "find workspaces",
            lambda: list(client.find_project(project).find_workspaces()),
        )
        if not spaces:
            raise ServerError(
                f"project {project} has no workspace; make one, or give {option('workspace')}"
            )
        workspace = str(spaces[0].uid)
    jobs = SelftestJobs(server, project, workspace)
    asker = _Asker(server, project, jobs)
    answers: Answers = {
        "frostpick": __version__,
        "tools": client_versions.tools_version(),
        "server": server.version,
    }
    try:
        for name, question in asker.questions().items():
            log.info("selftest: %s", name)
            answers[name] = _asked(question)
    finally:
        answers["jobs that could not be deleted"] = jobs.delete()
    answers["by hand"] = list(BY_HAND)
    cleaned = redact(answers)
    assert isinstance(cleaned, dict)
    return cleaned


def redact(value: Any) -> Any:
    """Return JSON values with addresses, e-mails and absolute paths replaced."""
    if isinstance(value, dict):
        return {redact(str(key)): redact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(item) for item in value]
    if isinstance(value, str):
        for pattern, word in _PRIVATE:
            value = pattern.sub(word, value)
    return value


def _asked(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except Exception as error:
        return {"refused": detail(error), "code": status_code(error), "kind": type(error).__name__}


class _Asker:
    """The questions, each on jobs of its own."""

    def __init__(self, server: Server, project: str, jobs: SelftestJobs) -> None:
        self._client, self._project, self._jobs = server.client, project, jobs

    def questions(self) -> dict[str, Callable[[], Any]]:
        return {
            "native jobs": self.native_jobs,
            "slots of dtype micrograph_blob in this project": self.image_slots,
            "fields of location": lambda: self.fields("particle", "location"),
            "fields of pick_stats": lambda: self.fields("particle", "pick_stats"),
            "fields of ml_model": lambda: self.fields("ml_model", "ml_model"),
            "set_param on an External job": self.set_param,
            "save of picks": lambda: self.save(lambda d: d),
            "save without optional fields": lambda: self.save(_without_optional),
            "save with an undeclared slot": lambda: self.save(_with_extra),
            "save with float64 fractions": lambda: self.save(_as_float64),
            "save with a repeated uid": lambda: self.save(_repeated_uid),
            "save with a fraction of 1.2": lambda: self.save(_outside),
            "save, mark failed, mark completed after a kill": self.after_kill,
            "fail a job that was never started": self.fail_unstarted,
            "events on a completed job": self.log_completed,
            "status after Ctrl-C inside the client's run()": self.interrupted_run,
            "download of an imported micrograph, which is a link": self.linked_file,
        }

    def native_jobs(self) -> Answers:
        specs = {spec.type: spec for spec in self._client.job_register.specs}
        known = {
            name: _asked(partial(specification, spec, name in JOBS))
            for name, spec in sorted(specs.items())
        }
        return {"missing": [name for name in JOBS if name not in specs], "specs": known}

    def image_slots(self) -> list[str]:
        found = set()
        for job in self._client.find_project(self._project).find_jobs():
            for output in client_versions.look(job).outputs.values():
                if output.type == "exposure":
                    found |= {
                        f"{job.type}: {slot} ({dtype})"
                        for slot, dtype in output.slots.items()
                        if "micrograph" in slot or dtype == "micrograph_blob"
                    }
        return sorted(found)

    def fields(self, type: str, dtype: str) -> list[list[Any]]:
        job = self._jobs.make()
        job.add_output(type, "asked", slots=[client_versions.slot(dtype, dtype)])
        return [
            [field[0], *map(str, field[1:])] for field in job.alloc_output("asked", 0).descr(True)
        ]

    def set_param(self) -> Any:
        job = self._jobs.make()
        return job.set_param("frostpick_threshold", 0.5)

    def save(self, change: Callable[[Any], Any]) -> Answers:
        job, dataset = self._picks()
        try:
            job.save_output("picks", change(dataset))
            kept = job.load_output("picks", slots="all")
            return {
                "rows": len(kept),
                "items": client_versions.look(job.refresh()).outputs["picks"].items,
                "fields": sorted(kept.fields()),
            }
        finally:
            job.stop(error="selftest: this job has done its work")

    def after_kill(self) -> Answers:
        job, dataset = self._picks()
        self._client.find_job(self._project, job.uid).kill()
        return {
            "status": _asked(lambda: job.refresh().status),
            "log": _asked(lambda: bool(job.log("after the kill"))),
            "save": _asked(lambda: job.save_output("picks", dataset)),
            "mark failed": _asked(lambda: job.stop(error="after the kill")),
            "status then": _asked(lambda: job.refresh().status),
        }

    def fail_unstarted(self) -> Answers:
        job = self._jobs.make()
        return {
            "mark failed": _asked(lambda: job.stop(error="never started")),
            "status": _asked(lambda: job.refresh().status),
        }

    def log_completed(self) -> Any:
        job = self._jobs.make()
        job.start("running")
        job.stop()
        return {"log": _asked(lambda: bool(job.log("after the end")))}

    def interrupted_run(self) -> Any:
        job = self._jobs.make()
        try:
            with job.run():
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            return job.refresh().status

    def linked_file(self) -> Any:
        jobs = self._client.find_project(self._project).find_jobs(type="import_micrographs")
        for job in jobs:
            for output in client_versions.look(job).outputs.values():
                if "micrograph_blob" in output.filled:
                    rows = job.load_output(output.name, slots=["micrograph_blob"])
                    path = str(rows["micrograph_blob/path"][0])
                    with self._client.download(self._project, path) as handle:
                        return {"bytes": len(handle.read())}
        return "no imported micrographs in this project"

    def _picks(self) -> tuple[Any, Any]:
        """Return a running job with a small micrograph and two picks on it."""
        job = self._jobs.make()
        slots = [
            client_versions.slot("location", "location"),
            client_versions.slot("pick_stats", "pick_stats"),
        ]
        job.add_output("particle", "picks", slots=slots)
        job.start("running")
        shape = (32, 48)
        job.upload_mrc("micrograph.mrc", np.arange(32 * 48, dtype=np.float32).reshape(shape), 2.0)
        dataset = job.alloc_output("picks", 2)
        dataset.add_fields([f for f in PICKS if f[0] not in dataset.fields()])
        dataset["location/micrograph_uid"] = 12345
        dataset["location/micrograph_path"] = f"{job.uid}/micrograph.mrc"
        dataset["location/micrograph_shape"] = np.tile(np.array(shape, np.uint32), (2, 1))
        dataset["location/micrograph_psize_A"] = 2.0
        dataset["location/center_x_frac"] = np.array([0.25, 0.5], np.float32)
        dataset["location/center_y_frac"] = np.array([0.125, 0.75], np.float32)
        return job, dataset


def specification(spec: Any, with_parameters: bool) -> Answers:
    """Return the inputs and outputs of a job type, by name, with their slots."""

    def slots(group: Any) -> Answers:
        return {
            name: {
                "type": str(one.type),
                "min": str(getattr(one, "count_min", "")),
                "slots": [
                    # a register may hold names alone, or descriptions
                    s
                    if isinstance(s, str)
                    else f"{s.name} ({s.dtype}{', required' if getattr(s, 'required', 0) else ''})"
                    for s in one.slots
                ],
            }
            for name, one in group.root.items()
        }

    found: Answers = {"inputs": slots(spec.inputs), "outputs": slots(spec.outputs)}
    if with_parameters:
        found["params"] = {name: str(one.default) for name, one in spec.params.items()}
    return found


def _without_optional(dataset: Any) -> Any:
    return dataset.drop_fields(["location/micrograph_psize_A", "location/min_dist_A"])


def _with_extra(dataset: Any) -> Any:
    return dataset.add_fields([("frostpick/score", "<f4")])


def _as_float64(dataset: Any) -> Any:
    name = "location/center_x_frac"
    values = np.asarray(dataset[name]).astype(np.float64)
    dataset.drop_fields([name])
    dataset.add_fields([name], ["<f8"])
    dataset[name] = values
    return dataset


def _repeated_uid(dataset: Any) -> Any:
    dataset["uid"] = 5
    return dataset


def _outside(dataset: Any) -> Any:
    dataset["location/center_y_frac"] = 1.2
    return dataset
