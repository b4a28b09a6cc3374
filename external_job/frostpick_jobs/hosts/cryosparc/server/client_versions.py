"""Where cryosparc-tools 4.7 and 5.0 differ: the only module that asks which one is installed.

5.x talks REST to the base port and describes a job by pydantic models; 4.7 talks
JSON-RPC and describes it by a dictionary. Everything else is written once, on the
calls that both have.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import PurePath, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.job_view import InputView, JobView, Link, OutputView


def tools_version() -> str:
    """Return the version of cryosparc-tools; `ServerError` when it is not installed."""
    try:
        return metadata.version("cryosparc-tools")
    except metadata.PackageNotFoundError:
        raise ServerError(
            "cryosparc-tools is not installed; run: pip install 'frostpick[cryosparc]' "
            "(for a CryoSPARC 4.7 site also: pip install 'cryosparc-tools~=4.7.0')"
        ) from None


def is_five() -> bool:
    """Tell whether the installed client is of the 5.x kind."""
    return int(tools_version().split(".")[0]) >= 5


def new_client(url: str, email: str | None, password: str | None, licence: str | None) -> Any:
    """Connect; 5.x takes the URL (and a saved token), 4.7 host, port and licence."""
    from cryosparc.tools import CryoSPARC

    with warnings.catch_warnings():
        # The client's own warning of another version: `connect` makes it an error.
        warnings.filterwarnings("ignore", message=".*may not be compatible.*")
        if is_five():
            return CryoSPARC(url, host=None, base_port=None, email=email, password=password)
        parts = urlsplit(url)
        return CryoSPARC(
            license=licence or "",
            host=parts.hostname or "localhost",
            base_port=parts.port or 39000,
            email=email or "",
            password=password or "",
        )


def has_token(url: str, email: str | None) -> bool:
    """Tell whether a login is saved for exactly this URL (5.x only)."""
    if not is_five():
        return False
    from cryosparc.auth import InstanceAuthSessions

    return InstanceAuthSessions.load().find(url, email) is not None


def login_again(client: Any, url: str, email: str | None, password: str | None) -> None:
    """Get a new session for a client whose session the server no longer knows.

    ``client.api(auth=...)`` would first forget every endpoint, and be left without
    any when the server is not there yet.
    """
    if not is_five():
        return
    from hashlib import sha256

    from cryosparc.auth import InstanceAuthSessions

    if email and password:
        # No public name of the client gives a session to endpoints that it has.
        client.api._authorize((email, sha256(password.encode()).hexdigest()))  # noqa: SLF001
        return
    session = InstanceAuthSessions.load().find(url, email)
    if session is not None:
        client.api._authorize(session.token.access_token)  # noqa: SLF001


def close(client: Any) -> None:
    """Give the client's connections back."""
    if is_five():
        client.api._client.close()  # noqa: SLF001


def server_version(client: Any) -> str:
    """Return the server's version as it tells it, e.g. ``v5.0.3``."""
    asked = client.api.config.get_version if is_five() else client.cli.get_running_version
    return str(asked() or "")


def directory(controller: Any) -> PurePosixPath:
    """Return the directory of a project or job on the server's file system."""
    found = controller.dir
    return PurePosixPath(found if isinstance(found, PurePath) else found())


def slot(name: str, dtype: str, *, required: bool = True) -> dict[str, Any]:
    """Return the description of a slot for ``add_input`` and ``add_output``."""
    key = "name" if is_five() else "prefix"
    return {key: name, "dtype": dtype, "required": required}


def unwired_job(
    client: Any, project: str, workspace: str | None, title: str, description: str
) -> Any:
    """Return the newest External job of a title and text that nobody has wired yet (5.x), or None.

    It is what a request made whose answer was lost.
    """
    if not is_five():
        return None
    found = client.find_jobs(project, workspace, type="snowflake", status="building", order=-1)
    for job in found:
        told = job.model
        wired = told.spec.inputs.root or told.spec.outputs.root
        if (told.title, told.description) == (title, description) and not wired:
            return client.find_external_job(project, job.uid)
    return None


def titled_jobs(client: Any, project: str, workspace: str, title: str) -> list[str]:
    """Return the External jobs of a title in a workspace (5.x)."""
    found = client.find_jobs(project, workspace, type="snowflake")
    return [str(job.uid) for job in found if job.model.title == title]


def delete_job(client: Any, project: str, job: str) -> None:
    """Delete a job, a running one too (5.x)."""
    client.api.jobs.delete(project, job)


def status(client: Any, project: str, job: str) -> str:
    """Ask the server for a job's status now."""
    if is_five():
        return str(client.api.jobs.get_status(project, job))
    return str(client.find_job(project, job).status)


def stop(job: Any, error: str) -> None:
    """Mark an External job completed, or failed with a text."""
    if is_five():
        job.stop(error=error)
        return
    if error:
        job.log(error, "error")
    job.stop(bool(error))


def log_text(job: Any, text: str, level: str, name: str | None) -> None:
    """Write to the event log; a line with a name replaces the last one of that name (5.x)."""
    if name is not None and is_five():
        job.log(text, level=level, name=name)
    else:
        job.log(text, level=level)


def save_output(job: Any, name: str, dataset: Any) -> None:
    """Save an output; the picture of 5.x is set separately."""
    job.save_output(name, dataset)


def set_pictures(job: Any, output: str | None, open_png: Any) -> None:
    """Show a picture on the job's tile and on an output (5.x; 4.7 has no such call)."""
    if is_five():
        job.set_tile_image(open_png())
        if output is not None:
            job.set_output_image(output, open_png())


def look(job: Any) -> JobView:
    """Return a job's inputs, outputs and status as last read."""
    return _look_five(job.model) if is_five() else _look_four(job.doc)


def _look_five(model: Any) -> JobView:
    inputs = [
        InputView(
            name=name,
            type=str(one.type),
            slots=tuple(s.name for s in one.slots),
            links=tuple(_link(c.job_uid, c.output, c.results) for c in one.connections),
        )
        for name, one in model.spec.inputs.root.items()
    ]
    outputs = [
        OutputView(
            name=name,
            type=str(one.type),
            slots={str(r.name): str(r.dtype) for r in one.results},
            filled=frozenset(str(r.name) for r in one.results if r.metafiles),
            items=_items(one.num_items, [r.num_items for r in one.results if not r.passthrough]),
            passthrough=one.passthrough,
        )
        for name, one in model.spec.outputs.root.items()
    ]
    return JobView(
        uid=model.uid,
        type=model.spec.type,
        status=str(model.status),
        title=model.title,
        workspaces=tuple(model.workspace_uids),
        inputs={one.name: one for one in inputs},
        outputs={one.name: one for one in outputs},
        errors=tuple(".".join(str(part) for part in e.loc) for e in model.build_errors),
    )


def _link(job: str, output: str, results: Sequence[Any]) -> Link:
    return Link(job, output, {str(r.name or r.result): str(r.result) for r in results})


def _look_four(doc: dict[str, Any]) -> JobView:
    inputs = [
        InputView(
            name=one["name"],
            type=one["type"],
            slots=tuple(s["name"] for s in one["slots"]),
            links=tuple(
                Link(
                    c["job_uid"],
                    c["group_name"],
                    {s["slot_name"] or s["result_name"]: s["result_name"] for s in c["slots"]},
                )
                for c in one["connections"]
            ),
        )
        for one in doc["input_slot_groups"]
    ]
    outputs = []
    for group in doc["output_result_groups"]:
        results = [r for r in doc["output_results"] if r["group_name"] == group["name"]]
        outputs.append(
            OutputView(
                name=group["name"],
                type=group["type"],
                slots={r["name"]: r["type"].split(".", 1)[-1] for r in results},
                filled=frozenset(r["name"] for r in results if r.get("metafiles")),
                items=_items(
                    group.get("num_items"),
                    [r.get("num_items") for r in results if not r.get("passthrough")],
                ),
                passthrough=group.get("passthrough") or None,
            )
        )
    return JobView(
        uid=doc["uid"],
        type=doc["job_type"],
        status=doc["status"],
        title=doc.get("title") or "",
        workspaces=tuple(doc.get("workspace_uids", ())),
        inputs={one.name: one for one in inputs},
        outputs={one.name: one for one in outputs},
        errors=tuple(str(e) for e in doc.get("errors_build_inputs") or ()),
    )


def _items(told: Any, counts: Sequence[Any]) -> int:
    """Return the rows of an output: a server may keep them by its results alone."""
    last = [one[-1] if isinstance(one, list) and one else one or 0 for one in counts]
    return int(told or max([0, *last]))
