"""Makes an External job with its inputs and outputs, or completes one made in the web page."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from frostpick.errors import FrostpickError, InputError
from frostpick_jobs.hosts.cryosparc.ports import (
    ALL_PICKS,
    KEPT,
    LEARNED_FROM,
    MICROGRAPHS,
    MODEL,
    PICKS,
    REJECTED,
    TRAINING,
    VERIFIED,
    Port,
    boxes_from,
    find_input,
    gives_micrographs,
    gives_picking_model,
    ports,
)
from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL
from frostpick_jobs.hosts.cryosparc.read.inputs import PICK_STATS
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.checks import look_at
from frostpick_jobs.hosts.cryosparc.server.connect import Server, no_stop
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, detail
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.declarations import InputKind, OutputKind

log = logging.getLogger(__name__)

Slots = list[dict[str, Any]]


def prepare_job(server: Server, request: JobRequest) -> ExternalJob:
    """Return the job that a request is about, wired and ready to start.

    `Server.stop` is asked between requests, too.

    Raises
    ------
    ServerError
        The server refuses; a job that was made by then is failed, and named in the text.
    """
    if request.job is not None:
        job = _existing(server, request)
        try:
            _wire(job, request)
        except FrostpickError:
            raise
        except BaseException:
            log.warning("%s is not ready yet; %s", job, _go_on(job, request))
            raise
        return job
    server.stop()
    job = ExternalJob(server, request.project, _create(server, request))
    log.info("made %s: %s", job, request.title)
    try:
        _wire(job, request)
    except FrostpickError as error:
        raise ServerError(f"{error}; {_given_up(job, str(error))}") from None
    except BaseException as error:
        given_up = _given_up(job, f"stopped before it was ready ({detail(error)})")
        log.warning("%s; %s", given_up, _go_on(job, request))
        raise
    return job


def _go_on(job: ExternalJob, request: JobRequest) -> str:
    again = request.resume_command(job.uid, unwired=True)
    return f"to go on: {again}  ; if you do not want to, delete the job in the web page"


def _create(server: Server, request: JobRequest) -> Any:
    client, where = server.client, f"{request.project}-{request.workspace}"
    try:
        return server.once(
            f"make a job in {where}",
            lambda: client.create_external_job(
                request.project, request.workspace, title=request.title, desc=request.description
            ),
        )
    except ServerError as error:
        if error.code is not None and error.code < 500:
            raise
        # It may have been made all the same, and would be left behind.
        made = server.call(
            f"look for the job in {where}",
            lambda: client_versions.unwired_job(
                client, request.project, request.workspace, request.title, request.description
            ),
        )
        if made is None:
            raise
        return made
    except FrostpickError:
        raise
    except BaseException:
        log.warning(
            "stopped while a job was being made in %s: where there is one titled %r without inputs "
            "and outputs, delete it in the web page",
            where,
            request.title,
        )
        raise


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
    job.server.stop = no_stop
    if job.fail(text):
        return f"{job} was made and is marked as failed"
    return f"{job} was made and could not be marked as failed; delete it in the web page"


def _wire(job: ExternalJob, request: JobRequest) -> None:
    """Connect what is asked for, and add the outputs that the task gives."""
    made: dict[InputKind, str] = {}
    for port in ports(request.task):
        sources = request.outputs_for(port.spec.name)
        there = find_input(job.look(), request.task, port)
        if there is None and not sources:
            continue
        slots = _slots(port, request, InputKind.MICROGRAPHS in made)
        made[port.kind] = _add_input(job, port, slots) if there is None else there.name
        _connect(job, made[port.kind], sources)
    job.server.stop()
    _training_input(job, request)
    _needs_no_model(job)
    job.server.stop()
    _wire_outputs(job, request, made)
    errors = job.look().errors
    if errors:
        raise ServerError(f"{job} cannot start, these inputs are not met: {', '.join(errors)}")


def _wire_outputs(job: ExternalJob, request: JobRequest, made: dict[InputKind, str]) -> None:
    """Add outputs by their kinds; other slots of the rows of an input pass through.

    Parameters
    ----------
    made
        Name of the job's input of each kind.
    """
    task = request.task
    if gives_picking_model(task):
        _model_output(job)
    if task.gives(OutputKind.PICKS):
        picks = [
            client_versions.slot("location", "location"),
            client_versions.slot(PICK_STATS, PICK_STATS),
        ]
        _output(job, "particle", PICKS, picks, None, "Picks")
        _output(job, "particle", ALL_PICKS, picks, None, "Picks above the floor")
    job.server.stop()
    rows = made.get(InputKind.PARTICLES)
    if task.gives(OutputKind.SCORED_ROWS):
        scores = [client_versions.slot(PICK_STATS, PICK_STATS)]
        _output(job, "particle", VERIFIED, scores, rows, "Particles with scores")
    if task.gives(OutputKind.KEPT_ROWS):
        slot = boxes_from(InputKind.MICROGRAPHS in made)
        own = [client_versions.slot(slot, slot)]
        _output(job, "particle", KEPT, own, rows, "Particles kept")
        _output(job, "particle", REJECTED, own, rows, "Particles rejected")
    if gives_micrographs(task):
        original, exposures = (
            [client_versions.slot(ORIGINAL, ORIGINAL)],
            made.get(InputKind.MICROGRAPHS),
        )
        _output(job, "exposure", MICROGRAPHS, original, exposures, "Micrographs")


def _slots(port: Port, request: JobRequest, on_micrographs: bool) -> Slots:
    """Return the slots of an input, those that it cannot do without first."""
    if port.kind is InputKind.MICROGRAPHS:
        return _exposure_slots(request)
    if port.kind in LEARNED_FROM:
        return [client_versions.slot("location", "location"), _optional("alignments2D")]
    own = boxes_from(on_micrographs)
    others = [slot for slot in ("location", "alignments2D") if slot != own]
    slots = [client_versions.slot(own, own), *map(_optional, others)]
    # what the rows' picker thought of them, where it is not written anew
    merit = port.kind is InputKind.PARTICLES and not request.task.gives(OutputKind.SCORED_ROWS)
    return [*slots, _optional(PICK_STATS)] if merit else slots


def _exposure_slots(request: JobRequest) -> Slots:
    names = dict.fromkeys((ORIGINAL, request.image_slot))
    slots = [client_versions.slot(name, ORIGINAL) for name in names]
    return [*slots, _optional("mscope_params"), _optional("ctf")]


def _optional(name: str) -> dict[str, Any]:
    return client_versions.slot(name, name, required=False)


def _add_input(job: ExternalJob, port: Port, slots: Slots) -> str:
    job.server.call(
        f"input {port.name} of {job}",
        lambda: job.controller.add_input(
            port.type, port.name, min=1, max="inf", slots=slots, title=port.title
        ),
    )
    return port.name


def _connect(job: ExternalJob, name: str, sources: Sequence[OutputRef]) -> None:
    for source in sources:
        job.server.stop()
        if str(source) in {str(link) for link in job.look().inputs[name].links}:
            continue
        try:
            job.server.once(
                f"connect {source} to {job}.{name}",
                lambda s=source: job.controller.connect(name, s.job, s.output),  # type: ignore[misc]
            )
        except ServerError:
            if str(source) not in {str(link) for link in job.look().inputs[name].links}:
                raise


def _output(
    job: ExternalJob, type: str, name: str, slots: Slots, passthrough: str | None, title: str
) -> None:
    there = job.look().outputs.get(name)
    if there is not None:
        asked = [str(one.get("name") or one.get("prefix")) for one in slots]
        lacking = [slot for slot in asked if slot not in there.slots]
        if lacking:
            raise InputError(
                f"{job} has an output {there.name!r} without the slot {lacking[0]}; add the slot "
                "in the web page, or take the output away: it is made anew"
            )
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
        _output(
            job,
            "ml_model",
            MODEL,
            [client_versions.slot("ml_model", "ml_model")],
            None,
            "Picking model",
        )
    except ServerError as error:
        log.info("no output 'model' (%s); the model is in the job's folder", error)


def _training_input(job: ExternalJob, request: JobRequest) -> None:
    """Draw the line from the training job; the model itself is found by the job's number."""
    source = request.model_job
    if source is None or (source.project or request.project) != request.project:
        return
    view = job.look()
    if TRAINING in view.inputs:
        return
    try:
        trained = look_at(job.server, request.project, source.job)
        if MICROGRAPHS in trained.outputs:
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
            _connect(job, TRAINING, [OutputRef(source.job, MICROGRAPHS)])
    except ServerError as error:
        log.info("the model's job is not connected in the graph (%s)", error)


def _needs_no_model(job: ExternalJob) -> None:
    """Let an input for a model that a job has, empty or not, keep it from nothing.

    A model is a setting here; no server's answer to a foreign one is known.
    """
    view = job.look()
    one = view.inputs.get(MODEL)
    if one is None or one.type != "ml_model" or not view.errors:
        return
    try:
        for _ in one.links:
            job.server.once("disconnect", lambda: job.controller.disconnect(MODEL))
        job.server.once(
            f"input {MODEL} of {job}",
            lambda: job.controller.add_input(
                one.type, MODEL, min=0, max=1, slots=list(map(_optional, one.slots))
            ),
        )
    except ServerError as error:
        log.info("the input 'model' stays as it is (%s)", error)
