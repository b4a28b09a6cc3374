"""Makes an External job with its inputs and outputs, or completes one made in the web page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from frostpick.errors import FrostpickError
from frostpick_jobs.hosts.cryosparc.model_files import has_model_output
from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL
from frostpick_jobs.hosts.cryosparc.read.inputs import (
    BAD,
    GOOD,
    MICROGRAPHS,
    MODEL,
    PARTICLES,
    PICK_STATS,
    TRAINING,
    find_input,
)
from frostpick_jobs.hosts.cryosparc.request import (
    LEARNING_TASKS,
    PRUNING_TASKS,
    TRAINING_TASKS,
    JobRequest,
)
from frostpick_jobs.hosts.cryosparc.server import shim
from frostpick_jobs.hosts.cryosparc.server.checks import look_at
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, detail
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef

log = logging.getLogger(__name__)

PICKS = "particles"
ALL_PICKS = "particles_all"
#: Outputs of a pruning job.
KEPT, REJECTED = "particles_kept", "particles_rejected"
#: Output of a verifying job.
VERIFIED = "particles_verified"

Slots = list[dict[str, Any]]
Check = Callable[[], None]


def prepare_job(server: Server, request: JobRequest, check: Check = lambda: None) -> ExternalJob:
    """Return the job that a request is about, wired and ready to start.

    Parameters
    ----------
    check
        Raises `JobStopped` when somebody wants to stop; called between requests.

    Raises
    ------
    ServerError
        The server refuses; a job that was made by then is failed, and named in the text.
    """
    if request.job is not None:
        job = _existing(server, request)
        _wire(job, request, check)
        return job
    check()
    job = ExternalJob(server, request.project, _create(server, request))
    log.info("made %s: %s", job, request.title)
    try:
        _wire(job, request, check)
    except FrostpickError as error:
        raise ServerError(f"{error}; {_given_up(job, str(error))}") from None
    except BaseException as error:
        log.warning("%s", _given_up(job, f"stopped before it was ready ({detail(error)})"))
        raise
    return job


def _create(server: Server, request: JobRequest) -> Any:
    client = server.client
    return server.once(
        f"make a job in {request.project}-{request.workspace}",
        lambda: client.create_external_job(
            request.project, request.workspace, title=request.title, desc=request.description
        ),
    )


def _existing(server: Server, request: JobRequest) -> ExternalJob:
    client = server.client
    controller = server.call(
        f"find {request.project}-{request.job}",
        lambda: client.find_external_job(request.project, request.job),
    )
    job = ExternalJob(server, request.project, controller)
    if job.look().status in ("failed", "killed"):
        log.info("%s is cleared, to be run again; what was done is kept on this machine", job)
        server.call(f"clear {job}", lambda: controller.clear())
    return job


def _given_up(job: ExternalJob, text: str) -> str:
    if job.fail(text):
        return f"{job} was made and is marked as failed"
    return f"{job} was made and could not be marked as failed; delete it in the web page"


def _wire(job: ExternalJob, request: JobRequest, check: Check) -> None:
    if request.task in PRUNING_TASKS:
        _wire_pruning(job, request, check)
        return
    exposures = _input(job, "exposure", MICROGRAPHS, _exposure_slots(request), "Micrographs")
    _connect(job, exposures, request.micrographs, check)
    wanted = request.task not in TRAINING_TASKS or not request.from_model
    there = request.particles or find_input(job.look(), "particle", PARTICLES) is not None
    if request.task in LEARNING_TASKS and (wanted or there):
        slots = [shim.slot("location", "location"), _optional("alignments2D")]
        particles = _input(job, "particle", PARTICLES, slots, "Particles to learn from")
        _connect(job, particles, request.particles, check)
    check()
    _model_input(job, request)
    check()
    if request.task in LEARNING_TASKS:
        _model_output(job)
    if request.task not in TRAINING_TASKS:
        picks = [shim.slot("location", "location"), shim.slot("pick_stats", "pick_stats")]
        _output(job, "particle", PICKS, picks, None, "Picks")
        _output(job, "particle", ALL_PICKS, picks, None, "Picks above the floor")
    check()
    original = [shim.slot(ORIGINAL, ORIGINAL)]
    _output(job, "exposure", MICROGRAPHS, original, exposures, "Micrographs")
    errors = job.look().errors
    if errors:
        raise ServerError(f"{job} cannot start, these inputs are not met: {', '.join(errors)}")


def _wire_pruning(job: ExternalJob, request: JobRequest, check: Check) -> None:
    """Particles in, the same rows out; all slots but those that are written pass through."""
    if request.micrographs or find_input(job.look(), "exposure", MICROGRAPHS) is not None:
        exposures = _input(job, "exposure", MICROGRAPHS, _exposure_slots(request), "Micrographs")
        _connect(job, exposures, request.micrographs, check)
        own = "location"
    else:
        own = "blob"
    others = [slot for slot in ("location", "alignments2D") if slot != own]
    slots = [shim.slot(own, own), *map(_optional, others)]
    scored = [_optional(PICK_STATS)] if request.task == "prune" else []
    doing = f"Particles to {request.task}"
    particles = _input(job, "particle", PARTICLES, [*slots, *scored], doing)
    _connect(job, particles, request.particles, check)
    for name, sources, title in (
        (GOOD, request.good, "Known particles"),
        (BAD, request.bad, "Known non-particles"),
    ):
        if sources:
            _input(job, "particle", name, slots, title)
            _connect(job, name, sources, check)
    check()
    if request.task == "verify":
        scores = [shim.slot("pick_stats", "pick_stats")]
        _output(job, "particle", VERIFIED, scores, particles, "Particles with scores")
    else:
        _output(job, "particle", KEPT, [shim.slot(own, own)], particles, "Particles kept")
        _output(job, "particle", REJECTED, [shim.slot(own, own)], particles, "Particles rejected")
    errors = job.look().errors
    if errors:
        raise ServerError(f"{job} cannot start, these inputs are not met: {', '.join(errors)}")


def _exposure_slots(request: JobRequest) -> Slots:
    names = dict.fromkeys((ORIGINAL, request.image_slot))
    slots = [shim.slot(name, ORIGINAL) for name in names]
    return [*slots, _optional("mscope_params"), _optional("ctf")]


def _optional(name: str) -> dict[str, Any]:
    return shim.slot(name, name, required=False)


def _input(job: ExternalJob, type: str, name: str, slots: Slots, title: str) -> str:
    """Return the name of the job's input of a type; made where there is none."""
    view = job.look()
    existing = view.inputs.get(name) or (
        None if name in (GOOD, BAD) else find_input(view, type, name)
    )
    if existing is not None:
        return existing.name
    job.server.call(
        f"input {name} of {job}",
        lambda: job.controller.add_input(type, name, min=1, max="inf", slots=slots, title=title),
    )
    return name


def _connect(job: ExternalJob, name: str, sources: Sequence[OutputRef], check: Check) -> None:
    for source in sources:
        check()
        if str(source) in {str(link) for link in job.look().inputs[name].links}:
            continue
        job.server.once(
            f"connect {source} to {job}.{name}",
            lambda s=source: job.controller.connect(name, s.job, s.output),  # type: ignore[misc]
        )


def _output(
    job: ExternalJob, type: str, name: str, slots: Slots, passthrough: str | None, title: str
) -> None:
    if name in job.look().outputs:
        return
    job.server.call(
        f"output {name} of {job}",
        lambda: job.controller.add_output(
            type, name, slots=slots, passthrough=passthrough, title=title
        ),
    )


def _model_output(job: ExternalJob) -> None:
    """Add the ``ml_model`` output where the server takes it; the file is found without it."""
    try:
        _output(job, "ml_model", MODEL, [shim.slot("ml_model", "ml_model")], None, "Picking model")
    except ServerError as error:
        log.info("no output 'model' (%s); the model is in the job's folder", error)


def _model_input(job: ExternalJob, request: JobRequest) -> None:
    """Draw the line from the training job; the model itself is found by the job's number."""
    source = request.model_job
    if source is None or (source.project or request.project) != request.project:
        return
    view = job.look()
    if MODEL in view.inputs or TRAINING in view.inputs:
        return
    try:
        if has_model_output(job.server, request.project, source.job):
            slots = [shim.slot("ml_model", "ml_model")]
            job.server.once(
                f"input {MODEL} of {job}",
                lambda: job.controller.add_input(
                    "ml_model", MODEL, min=0, max=1, slots=slots, title="Picking model"
                ),
            )
            _connect(job, MODEL, [OutputRef(source.job, MODEL)], lambda: None)
        elif MICROGRAPHS in look_at(job.server, request.project, source.job).outputs:
            job.server.once(
                f"input {TRAINING} of {job}",
                lambda: job.controller.add_input(
                    "exposure",
                    TRAINING,
                    min=0,
                    max=1,
                    slots=[_optional(ORIGINAL)],
                    title="Job that trained the model",
                ),
            )
            _connect(job, TRAINING, [OutputRef(source.job, MICROGRAPHS)], lambda: None)
    except ServerError as error:
        log.info("the model's job is not connected in the graph (%s)", error)
