"""Everything that can be found wrong by reading alone, before anything is created."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from frostpick.errors import InputError, option
from frostpick.settings import Settings
from frostpick_jobs.hosts.cryosparc.ports import (
    LEARNED_FROM,
    Port,
    boxes_from,
    find_input,
    port_of,
    ports,
)
from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL, Exposures, read_exposures
from frostpick_jobs.hosts.cryosparc.read.inputs import (
    exposure_slots,
    filled_slots,
    load_output,
)
from frostpick_jobs.hosts.cryosparc.read.particle_labels import match_rows, no_particle_sentence
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.job_view import ACTIVE, JobView, Link, OutputView
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.declarations import REST, InputKind

log = logging.getLogger(__name__)

EXTERNAL = "snowflake"
Source = OutputRef | Link


def check_request(server: Server, request: JobRequest, settings: Settings) -> None:
    """Check project, workspace, job, sources and slots; nothing is created or changed.

    Parameters
    ----------
    settings
        Of the task: some tell which inputs it cannot do without.

    Raises
    ------
    InputError, ServerError
        One sentence on the first thing that is wrong.
    """
    check_place(server, request.project, None if request.job else request.workspace)
    existing = None if request.job is None else look_at(server, request.project, request.job)
    if existing is not None:
        _check_existing(existing)
    port = port_of(request.task, InputKind.MICROGRAPHS)
    micrographs = [] if port is None else _sources(existing, request, port)
    rows = port_of(request.task, InputKind.PARTICLES)
    if rows is not None:
        _check_rows(server, request, rows, existing, settings, bool(micrographs))
    if not micrographs:
        if port is None or not port.spec.needed(settings):
            return
        where = "" if existing is None else f"{existing.uid} has no micrographs connected; "
        raise InputError(f"{where}give them with {option('micrographs')}, such as J10.exposures")
    found = [
        check_source(server, request.project, one, "exposure", (ORIGINAL, request.image_slot))
        for one in micrographs
    ]
    exposures = _read_exposures(server, request, micrographs, found)
    labels = port_of(request.task, *LEARNED_FROM)
    if labels is not None:
        _check_labels(server, request, labels, existing, settings, exposures)


def check_place(server: Server, project: str, workspace: str | None) -> None:
    """Raise `ServerError` unless a project is there, and a workspace where one is given."""
    client = server.client
    try:
        found = server.call(
            f"find project {project}", lambda: client.find_project(project).refresh()
        )
        if workspace is not None:
            server.call(
                f"find workspace {workspace}", lambda: found.find_workspace(workspace).refresh()
            )
    except ServerError as error:
        if error.code == 404:
            missing = (
                f"project {project}"
                if f"project {project}" in str(error)
                else f"workspace {project}-{workspace}"
            )
            raise ServerError(f"there is no {missing} on {server.url}", 404) from None
        raise


def look_at(server: Server, project: str, job: str) -> JobView:
    """Return a job as it is now; `ServerError` when there is none."""
    try:
        return client_versions.look(
            server.call(f"find {project}-{job}", lambda: server.client.find_job(project, job))
        )
    except ServerError as error:
        if error.code == 404:
            raise ServerError(f"there is no job {project}-{job} on {server.url}", 404) from None
        raise


def check_source(
    server: Server, project: str, source: Source, type: str, slots: Sequence[str]
) -> OutputView:
    """Return a source output that has the type, the slots and data; else `InputError`."""
    view = look_at(server, project, source.job)
    output = view.outputs.get(source.output)
    if output is None:
        near = difflib.get_close_matches(source.output, view.outputs, n=1)
        hint = f"; did you mean {source.job}.{near[0]}?" if near else ""
        raise InputError(
            f"{source.job} ({view.type}) has no output {source.output!r}, "
            f"it has: {', '.join(view.outputs) or 'none'}{hint}"
        )
    if output.type != type:
        raise InputError(f"{source} holds {output.type}, expected {type}")
    if not output.filled:
        raise InputError(
            f"{source} has no data yet ({source.job} is {view.status}); "
            "wait until that job has completed"
        )
    for slot in slots:
        if slot not in output.filled:
            raise InputError(
                f"{source} has no slot {slot!r} with data; "
                f"it has: {', '.join(filled_slots(output))}"
            )
    return output


def _check_existing(view: JobView) -> None:
    if view.type != EXTERNAL:
        raise InputError(
            f"{view.uid} is a {view.type} job; {option('job')} takes an External job, "
            "made in the web page or by an earlier command"
        )
    if view.status == "completed":
        raise InputError(
            f"{view.uid} is completed; clear it in the web page to run it again, "
            f"or leave out {option('job')} to make a new one"
        )
    if view.status not in ("building", "failed", "killed", *ACTIVE):
        raise InputError(f"{view.uid} is {view.status}; kill it in the web page first")


def _sources(existing: JobView | None, request: JobRequest, port: Port) -> list[Source]:
    """Return what is connected to an input already and what will be."""
    found: list[Source] = []
    if existing is not None:
        view = find_input(existing, request.task, port)
        found += [] if view is None else list(view.links)
    connected = {str(one) for one in found}
    for ref in request.outputs_for(port.spec.name):
        if str(ref) not in connected:
            found.append(ref)
    return found


def _read_exposures(
    server: Server, request: JobRequest, sources: Sequence[Source], outputs: Sequence[OutputView]
) -> Exposures:
    parts = [
        load_output(
            server,
            request.project,
            source,
            exposure_slots(filled_slots(output), request.image_slot),
        )
        for source, output in zip(sources, outputs, strict=True)
    ]
    exposures = read_exposures(parts, request.image_slot)
    if len(exposures) == 0:
        raise InputError(f"{', '.join(map(str, sources))}: no exposures in it")
    return exposures


def _check_rows(
    server: Server,
    request: JobRequest,
    port: Port,
    existing: JobView | None,
    settings: Settings,
    on_micrographs: bool,
) -> None:
    """Check the rows to decide on, and the examples."""
    sources = _sources(existing, request, port)
    if not sources:
        # of alternative inputs, this one stands for picks too
        if not (port.spec.needed(settings) or request.task.one_of):
            return
        raise InputError(
            f"no particles to {request.task.name}; give them with "
            f"{option('particles', 'J12.particles')}"
        )
    examples = [one for one in ports(request.task) if one.kind is InputKind.EXAMPLES]
    has = {one.spec.name: bool(_sources(existing, request, one)) for one in examples}
    for one in examples:
        name, rest = one.spec.name, one.spec.rest
        if not rest or has[rest]:
            continue
        give = option(request.task.input(rest).mark)
        if request.is_rest(name):
            raise InputError(
                f"{option(name, REST)} means all that is not among the {rest}; "
                f"give {give}, such as J9.particles"
            )
        if request.outputs_for(name):
            raise InputError(f"{name} examples without {rest}; give some particles with {give}")
    slot = boxes_from(on_micrographs)
    asked = [ref for one in examples for ref in request.outputs_for(one.spec.name)]
    for source in (*sources, *asked):
        output = check_source(server, request.project, source, "particle", ())
        if slot not in output.filled:
            raise InputError(
                f"{source} has no slot {slot!r} with data; it has: "
                f"{', '.join(filled_slots(output))}; extract the particles, or give the "
                f"{option('micrographs')} that they lie on"
            )


def _check_labels(
    server: Server,
    request: JobRequest,
    port: Port,
    existing: JobView | None,
    settings: Settings,
    exposures: Exposures,
) -> None:
    """Check the particles to learn from: some lie on the micrographs."""
    sources = _sources(existing, request, port)
    if not sources and not port.spec.needed(settings):
        return
    if not sources:
        raise InputError(
            f"no particles to learn from; give them with {option(port.spec.mark, 'J12.particles')}"
        )
    total = matched = 0
    for source in sources:
        check_source(server, request.project, source, "particle", ("location",))
        part: Any = load_output(server, request.project, source, ["location"])
        total += len(part)
        matched += int(np.count_nonzero(match_rows(part, exposures) >= 0))
    if matched == 0:
        raise InputError(no_particle_sentence([str(s) for s in sources], total))
