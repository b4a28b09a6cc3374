"""The run record in the job's folder, and the pictures of its tile and of an output."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

from frostpick_jobs.hosts.cryosparc.ports import RECORD
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.upload import upload_file
from frostpick_jobs.job.journal import LOG, RUNS
from frostpick_jobs.job.outputs import Report

log = logging.getLogger(__name__)


def save_report(job: ExternalJob, report: Report, pictured: str | None) -> None:
    """Write the run record into the job's folder, and set the pictures.

    The picture is the first of picks on a micrograph, else the first.

    Parameters
    ----------
    pictured
        The output that shows it too; None for the job's tile alone.
    """
    upload_file(job, RECORD, (json.dumps(report.record, indent=2) + "\n").encode())
    if not report.figures:
        return
    shown = next((one for one in report.figures if one.is_micrograph), report.figures[0])
    try:
        job.server.call(
            "set the pictures",
            lambda: client_versions.set_pictures(
                job.controller, pictured, lambda: io.BytesIO(shown.png)
            ),
        )
    except ServerError as error:
        log.warning("no tile image: %s", error)


def save_journal(job: ExternalJob, folder: Path) -> None:
    """Copy the log and the records of the runs into the job's folder, as they are by now.

    They are written on this machine, for the server may be away when there is most to tell.
    """
    for name in (LOG, RUNS):
        try:
            upload_file(job, name, (folder / name).read_bytes())
        except (OSError, ServerError) as error:
            log.warning("%s is not in the job's folder: %s", name, error)
