"""A file that another job of the server left in its folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from frostpick.errors import InputError
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.references import JobRef


def fetch_file(server: Server, project: str, job: JobRef, name: str, into: Path) -> Path:
    """Download a file of a job of this project or another; return the copy.

    Parameters
    ----------
    into
        Local folder, which is made.

    Raises
    ------
    InputError
        The job has no such file.
    """
    place, path = job.project or project, f"{job.job}/{name}"
    local = into / f"{place}-{job.job}" / name
    local.parent.mkdir(parents=True, exist_ok=True)
    try:
        server.call(f"read {path}", partial(server.client.download_file, place, path, str(local)))
    except ServerError as error:
        if error.code not in (404, 422):
            raise
        raise InputError(
            f"{place}-{job.job} has no file {name}; expected a completed job of frostpick"
        ) from None
    return local
