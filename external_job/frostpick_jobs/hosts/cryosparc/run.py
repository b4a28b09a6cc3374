"""From a request to the end of its External job: what the commands and scripts call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostpick._version import __version__
from frostpick.config import (
    FewshotSettings,
    IterateSettings,
    PickSettings,
    PruneSettings,
    Settings,
    TrainSettings,
    VerifySettings,
)
from frostpick.errors import ConfigError, option
from frostpick_jobs.hosts.cryosparc.host import CryoSPARCHost
from frostpick_jobs.hosts.cryosparc.model_files import fetch_model, fetch_pruner
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server.checks import check_request
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.references import parse_job
from frostpick_jobs.hosts.cryosparc.server.wiring import prepare_job
from frostpick_jobs.hosts.cryosparc.spool import spool_folder
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.job.signals import StopSignals

if TYPE_CHECKING:
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.pruner.model import Pruner
    from frostpick_jobs.tasks.job_models import JobModels

log = logging.getLogger(__name__)

#: What to cite besides frostpick, by task.
_BEPLER = (
    "T. Bepler et al., *Positive-unlabeled convolutional neural networks for particle picking in "
    "cryo-electron micrographs*, Nat. Methods 16, 1153 (2019)"
)
_LI = "H. Li et al., J. Comput. Biol. 29, 1117 (2022)"
CITATIONS = {
    "fewshot": "C. Xu, X. Zhan and M. Xu, *cryoMAE* (2024), where `method` is cryomae; " + _BEPLER,
    "iterate": "Y. Zhu et al., BMC Bioinformatics 18, 348 (2017); " + _BEPLER,
    "prune": _LI,
    "verify": "Y. Zhu et al., BMC Bioinformatics 18, 348 (2017); " + _LI,
}


@dataclass(frozen=True)
class Tempo:
    """How often a running job talks to the server, in seconds."""

    poll: float = 5.0
    events: float = 2.0


def train(
    server: Server,
    request: JobRequest,
    settings: TrainSettings,
    *,
    spool: Path | None = None,
    debug: bool = False,
    tempo: Tempo = Tempo(),
) -> int:
    """Train in an External job, in rounds with `IterateSettings`; return the exit code.

    Raises
    ------
    FrostpickError
        Before the job was there: nothing was created, unless the sentence names a job.
    """
    from frostpick.runtime.device import resolve_device
    from frostpick_jobs.tasks import run_iterate, run_train

    request = replace(request, from_model=settings.start_from != "none")
    check_request(server, request)
    resolve_device(settings.device)
    if settings.picks_pixel_size is not None:
        log.info("picks_pixel_size is not needed: CryoSPARC keeps positions as fractions")
    request, start = _with_model(server, request, settings.start_from, "none")
    if settings.diameter is None and (start is None or start.card.diameter_A is None):
        raise ConfigError(
            f"training needs the particle's longest dimension: give {option('diameter')}"
        )
    diameter = settings.diameter or (start.card.diameter_A if start else None)
    pruner = None
    if isinstance(settings, IterateSettings):
        pruner = _pruner_of_job(server, request, settings.pruner)
        if pruner is None and settings.pruner != "none":
            # that it is there is known before a job is made
            _models(server, request, spool).pruner(settings.pruner)
    host = _host(server, request, settings, start, diameter, spool, tempo, pruner=pruner)
    run = run_iterate if isinstance(settings, IterateSettings) else run_train
    return run_job(host, lambda: run(host, settings), debug=debug)


def pick(
    server: Server,
    request: JobRequest,
    settings: PickSettings,
    *,
    spool: Path | None = None,
    debug: bool = False,
    tempo: Tempo = Tempo(),
) -> int:
    """Pick in an External job; return the exit code.

    Raises
    ------
    FrostpickError
        Before the job was there: nothing was created, unless the sentence names a job.
    """
    from frostpick.picking.plan import plan_picking
    from frostpick_jobs.tasks import run_pick

    check_request(server, request)
    request, model = _with_model(server, request, settings.model, None)
    asked = model or _models(server, request, spool).picking(settings.model)
    plan_picking(asked, settings)
    host = _host(server, request, settings, model, settings.diameter, spool, tempo, asked=asked)
    return run_job(host, lambda: run_pick(host, settings), debug=debug)


def fewshot(
    server: Server,
    request: JobRequest,
    settings: FewshotSettings,
    *,
    spool: Path | None = None,
    debug: bool = False,
    tempo: Tempo = Tempo(),
) -> int:
    """Pick from a few exemplars in an External job; return the exit code.

    Raises
    ------
    FrostpickError
        Before the job was there: nothing was created, unless the sentence names a job.
    """
    from frostpick.runtime.device import resolve_device
    from frostpick_jobs.tasks import run_fewshot

    check_request(server, request)
    resolve_device(settings.device)
    if settings.diameter is None:
        raise ConfigError(
            f"few-shot picking needs the particle's longest dimension: {option('diameter')}"
        )
    host = _host(server, request, settings, None, settings.diameter, spool, tempo)
    return run_job(host, lambda: run_fewshot(host, settings), debug=debug)


def prune(
    server: Server,
    request: JobRequest,
    settings: VerifySettings,
    *,
    spool: Path | None = None,
    debug: bool = False,
    tempo: Tempo = Tempo(),
) -> int:
    """Score particles in an External job, and split them with `PruneSettings`.

    Returns the exit code.

    Raises
    ------
    FrostpickError
        Before the job was there: nothing was created, unless the sentence names a job.
    """
    from frostpick.pruning.plan import plan_pruning
    from frostpick_jobs.hosts.cryosparc.prune_host import CryoSPARCPruneHost
    from frostpick_jobs.hosts.cryosparc.verify_host import CryoSPARCVerifyHost
    from frostpick_jobs.tasks.prune.run import run_prune, run_verify

    check_request(server, request)
    pruner = _pruner_of_job(server, request, settings.pruner)
    split = settings if isinstance(settings, PruneSettings) else None
    checked = split or PruneSettings(**settings.model_dump())
    asked = pruner or _models(server, request, spool).pruner(settings.pruner)
    plan_pruning(asked, checked)
    kind = CryoSPARCPruneHost if split else CryoSPARCVerifyHost
    host = _host(
        server, request, settings, None, settings.diameter, spool, tempo, kind, pruner=pruner
    )
    return run_job(
        host,
        lambda: run_prune(host, split) if split else run_verify(host, settings),
        debug=debug,
    )


def _models(server: Server, request: JobRequest, spool: Path | None) -> JobModels:
    """Return what the names of models mean in the job of a request: in a new one, the newest."""
    from frostpick_jobs.tasks.job_models import JobModels

    folder = spool_folder(server.url, request.project, request.job or "new", spool)
    return JobModels(folder, look=True)


def _pruner_of_job(server: Server, request: JobRequest, text: str) -> Pruner | None:
    """Return the pruner of the job that ``text`` names; None where it names none."""
    source = parse_job(text)
    return None if source is None else fetch_pruner(server, request.project, source)


def _with_model(
    server: Server, request: JobRequest, text: str, nothing: str | None
) -> tuple[JobRequest, PickingModel | None]:
    """Return the model of a training job that ``text`` names, and the request that says so."""
    source = None if text == nothing else parse_job(text)
    if source is None:
        return request, None
    model = fetch_model(server, request.project, source)
    return replace(request, model_job=source), model


def _host(
    server: Server,
    request: JobRequest,
    settings: Settings,
    model: PickingModel | None,
    diameter_A: float | None,
    spool: Path | None,
    tempo: Tempo,
    kind: type[CryoSPARCHost] = CryoSPARCHost,
    *,
    pruner: Pruner | None = None,
    asked: PickingModel | None = None,
) -> CryoSPARCHost:
    """Make or take the job, and its host, which has ``model`` and ``pruner`` from other jobs."""
    described = replace(
        request,
        title=request.title or f"frostpick {request.task}",
        description=describe(request, settings.model_dump(mode="json"), model or asked, pruner),
    )
    with StopSignals() as signals:
        check: Callable[[], None] = signals.raise_if_received
        job = prepare_job(server, described, check)
    return kind(
        job,
        described,
        spool_folder(server.url, job.project, job.uid, spool),
        model=model,
        pruner=pruner,
        diameter_A=diameter_A,
        poll_seconds=tempo.poll,
        event_seconds=tempo.events,
    )


def describe(
    request: JobRequest,
    settings: Mapping[str, Any],
    model: PickingModel | None,
    pruner: Pruner | None = None,
) -> str:
    """Return the markdown of a new job's description: parameters and citation."""
    rows = [("image", request.image_slot), ("flip y", str(request.flip_y))]
    rows += [(name, _told(name, value)) for name, value in settings.items() if value is not None]
    if model is not None:
        rows.append(("model digest", model.digest[:16]))
    if pruner is not None:
        rows.append(("pruner digest", pruner.digest[:16]))
    lines = [
        f"**frostpick {__version__} {request.task}**",
        "",
        "| parameter | value |",
        "|---|---|",
    ]
    lines += [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([*lines, "", f"frostpick; {CITATIONS.get(request.task, _BEPLER)}"])


def _told(name: str, value: Any) -> str:
    """Return a setting as text, the name of a shipped model with the version that it means."""
    from frostpick.models.versions import version_of

    version = version_of(str(value)) if name in ("model", "start_from", "pruner") else None
    return str(value) if version in (None, value) else f"{value}, now {version}"
