"""From a request to the end of its External job: what the commands and scripts call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostpick._version import __version__
from frostpick.errors import ConfigError
from frostpick.settings import RunSettings
from frostpick.settings.model_ref import model_ref
from frostpick_jobs.hosts.cryosparc.host import CryoSPARCHost
from frostpick_jobs.hosts.cryosparc.ports import LEARNED_FROM, port_of
from frostpick_jobs.hosts.cryosparc.read.models import ModelsOfJobs, named_models
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.checks import check_request
from frostpick_jobs.hosts.cryosparc.server.connect import Server, no_stop
from frostpick_jobs.hosts.cryosparc.server.wiring import prepare_job
from frostpick_jobs.hosts.cryosparc.spool import choose_base, spool_folder
from frostpick_jobs.job.lifecycle import execute, run_job
from frostpick_jobs.job.signals import StopSignals
from frostpick_jobs.tasks.declarations import OutputKind, TaskSpec

if TYPE_CHECKING:
    from frostpick.runtime.executors.base import Executor
    from frostpick_jobs.job.models import JobModels
    from frostpick_jobs.job.results import Result

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tempo:
    """How often a running job talks to the server, in seconds."""

    poll: float = 5.0
    events: float = 2.0


def run_task(
    server: Server,
    request: JobRequest,
    settings: RunSettings,
    *,
    spool: Path | None = None,
    tempo: Tempo = Tempo(),
    executor: Executor | None = None,
) -> Result:
    """Run the task of a request in an External job; return its result.

    Parameters
    ----------
    settings
        Of the request's task.
    spool
        Where results are kept until they are saved; None: as `choose_base` finds it.
    executor
        Who does the work, and where. None: the devices of the settings.

    Raises
    ------
    FrostpickError
        Before the job was there: nothing was created, unless the sentence names a job. After
        that: the job failed; the sentence is in its event log.
    JobStopped
        Somebody stopped the job; it is resumed with `JobRequest.job`.
    """
    host = ready_host(server, request, settings, spool=spool, tempo=tempo)
    return execute(host, _work(host, settings, executor))


def run_task_for_exit_code(
    server: Server,
    request: JobRequest,
    settings: RunSettings,
    *,
    spool: Path | None = None,
    tempo: Tempo = Tempo(),
    executor: Executor | None = None,
    debug: bool = False,
) -> int:
    """Run the task of a request in an External job, as `run_task`; return the exit code.

    Parameters
    ----------
    debug
        Log the traceback of an error too.

    Raises
    ------
    FrostpickError
        Before the job was there: nothing was created, unless the sentence names a job.
    """
    host = ready_host(server, request, settings, spool=spool, tempo=tempo)
    return run_job(
        host,
        _work(host, settings, executor),
        debug=debug,
        strict=settings.strict,
    )


def ready_host(
    server: Server,
    request: JobRequest,
    settings: RunSettings,
    *,
    spool: Path | None = None,
    tempo: Tempo = Tempo(),
) -> CryoSPARCHost:
    """Check what can be checked, make or take over the job, and return its host.

    Raises
    ------
    FrostpickError
        As `run_task`.
    """
    task = request.task
    if CryoSPARCHost.name not in task.hosts:
        raise ConfigError(f"{task.name} does not run in CryoSPARC, only: {', '.join(task.hosts)}")
    check_request(server, request, settings)
    if getattr(settings, "picks_pixel_size", None) is not None:
        log.info("picks_pixel_size is not needed: CryoSPARC keeps positions as fractions")
    of_jobs = ModelsOfJobs(server, request.project, settings)
    base = spool or choose_base(
        server.url, request.project, request.job, lambda: _project_folder(server, request)
    )
    models = _models(server, request, base, of_jobs)
    preflight = task.load_preflight()
    if preflight is not None:
        preflight(settings, models)
    of_jobs.fetch()
    request = replace(
        request,
        model_job=of_jobs.picking_job,
        title=request.title or f"frostpick {task.name}",
        description=describe(request, settings, dict(_digests(task, settings, models, of_jobs))),
    )
    with StopSignals() as signals:
        server.stop = signals.raise_if_received
        try:
            job = prepare_job(server, request)
        finally:
            server.stop = no_stop
    return CryoSPARCHost(
        job,
        request,
        spool_folder(server.url, job.project, job.uid, base),
        models=of_jobs,
        diameter_A=_diameter(task, settings, models),
        poll_seconds=tempo.poll,
        event_seconds=tempo.events,
    )


def describe(request: JobRequest, settings: RunSettings, digests: Mapping[str, str]) -> str:
    """Return the markdown of a new job's description: parameters and citation.

    Parameters
    ----------
    digests
        ``model`` or ``pruner`` -> the first figures of its digest, as far as they are to be told.
    """
    values = settings.model_dump(mode="json")
    rows = [("image", request.image_slot), ("flip y", str(request.flip_y))]
    rows += [
        (name, _told(settings, name, value))
        for name, value in values.items()
        if value not in (None, "")
    ]
    rows += [(f"{name} digest", digest) for name, digest in digests.items()]
    cited = request.task.cited(str(values.get("method", "")))
    lines = [
        f"**frostpick {__version__} {request.task.name}**",
        "",
        "| parameter | value |",
        "|---|---|",
    ]
    lines += [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([*lines, "", f"frostpick; {cited}"])


def _work(
    host: CryoSPARCHost, settings: RunSettings, executor: Executor | None
) -> Callable[[], Result]:
    run = host.request.task.load_run()
    return lambda: run(host, settings, executor)


def _models(server: Server, request: JobRequest, base: Path, of_jobs: ModelsOfJobs) -> JobModels:
    """Return what the names of models mean in the job of a request: in a new one, the newest."""
    from frostpick_jobs.job.models import JobModels

    folder = spool_folder(server.url, request.project, request.job or "new", base)
    return JobModels(folder, look=True, elsewhere=of_jobs)


def _project_folder(server: Server, request: JobRequest) -> Iterator[Path]:
    """Yield a place in the project's folder, where this machine mounts it and may write there."""
    told = server.call(
        f"find project {request.project}",
        lambda: client_versions.directory(server.client.find_project(request.project)),
    )
    folder = request.mounts.local(told)
    if not request.download and (folder / (request.job or "")).is_dir():
        yield folder / ".frostpick"


def _digests(
    task: TaskSpec, settings: RunSettings, models: JobModels, of_jobs: ModelsOfJobs
) -> Iterator[tuple[str, str]]:
    """Yield what the description tells: the model that picks, and what other jobs made."""
    for _, ref, text in named_models(settings):
        found = of_jobs(ref.kind, text)
        if found is None and ref.kind == "picking" and task.gives(OutputKind.PICKS):
            found = models.picking(text)
        if found is not None:
            yield ("model" if ref.kind == "picking" else ref.kind), found.digest[:16]


def _diameter(task: TaskSpec, settings: RunSettings, models: JobModels) -> float | None:
    """Return the diameter that labels are read with, in Angstrom: given, or the start model's."""
    asked: float | str | None = getattr(settings, "diameter", None)
    given = asked if isinstance(asked, float) else None  # auto is found by the job
    if given is not None or port_of(task, *LEARNED_FROM) is None:
        return given
    starts = (text for _, ref, text in named_models(settings) if ref.kind == "picking")
    return next((models.picking(text).card.diameter_A for text in starts), None)


def _told(settings: RunSettings, name: str, value: Any) -> str:
    """Return a setting as text, the name of a model with the version that it means."""
    from frostpick.models.facility import version_now

    names_model = model_ref(type(settings).model_fields[name]) is not None
    version = version_now(str(value)) if names_model else None
    return str(value) if version in (None, value) else f"{value}, now {version}"
