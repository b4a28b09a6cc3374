"""Send data and files, and believe it only after a look at what arrived.

The client repeats an upload whose connection broke with an empty body, and reports
success; so the size of what is there decides, and the upload is made again.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

from frostpick_jobs.hosts.cryosparc.read.inputs import load_output
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.job_view import ACTIVE, Link

log = logging.getLogger(__name__)

ATTEMPTS = 4
#: Answers to a body that arrived empty or cut: worth one more attempt.
_REFUSED = (400, 415, 422)


def save_dataset(job: ExternalJob, output: str, dataset: Any) -> None:
    """Save an output and compare its number of rows.

    Raises
    ------
    ServerError
        The server refuses the dataset, or keeps another number of rows. One without rows may
        be refused: then the output stays empty.
    """
    server, controller = job.server, job.controller
    refused = False
    for _ in range(ATTEMPTS):
        try:
            server.call(
                f"save {job}.{output} ({len(dataset)} rows)",
                lambda: client_versions.save_output(controller, output, dataset),
            )
        except ServerError as error:
            if error.code not in _REFUSED:
                raise
            if refused and len(dataset) == 0 and job.status() in ACTIVE:
                log.warning(
                    "%s.%s stays empty: the server takes no output without rows", job, output
                )
                return
            if refused:
                raise
            refused = True
            continue
        saved = _saved_rows(job, output, dataset)
        if saved == len(dataset):
            return
        log.warning("%s.%s has %d rows, sent %d; again", job, output, saved, len(dataset))
    raise ServerError(
        f"{job}.{output} does not hold the {len(dataset)} rows that were sent, "
        f"{ATTEMPTS} times; the picks are kept here"
    )


def _saved_rows(job: ExternalJob, output: str, dataset: Any) -> int:
    """Return how many rows an output has: as the job says, or by a look at it if that is odd."""
    told = job.look().outputs[output].items
    slots = dataset.prefixes()
    if told == len(dataset) or not slots:
        return told
    try:
        return len(load_output(job.server, job.project, Link(job.uid, output, {}), slots[:1]))
    except ServerError as error:
        log.debug("%s", error)
        return told


def upload_file(job: ExternalJob, target: str, data: bytes) -> None:
    """Write a file into the job's folder and compare its size.

    Parameters
    ----------
    target
        Path in the job's folder; one folder deep at most.

    Raises
    ------
    ServerError
        The file does not arrive whole.
    """
    server, controller = job.server, job.controller
    folder = target.rpartition("/")[0]
    if folder:
        server.call(
            f"make {job}/{folder}", lambda: controller.mkdir(folder, parents=True, exist_ok=True)
        )
    for _ in range(ATTEMPTS):
        server.call(
            f"upload {job}/{target}",
            lambda: controller.upload(target, data, overwrite=True),
        )
        arrived = size(job, target, len(data))
        if arrived == len(data):
            return
        log.warning("%s/%s has %d bytes, sent %d; again", job, target, arrived, len(data))
    raise ServerError(f"{job}/{target} does not arrive whole, {ATTEMPTS} times")


def size(job: ExternalJob, target: str, sent: int) -> int:
    """Return the number of bytes of a file of the job: by its folder, or by reading it back.

    Parameters
    ----------
    sent
        How many there should be. Another number at the job's path on this machine tells nothing:
        the path may be another folder here, or a disk of the network that is behind.
    """
    server, controller = job.server, job.controller
    path = Path(server.call(f"find {job}", lambda: client_versions.directory(controller))) / target
    with contextlib.suppress(OSError):
        if path.stat().st_size == sent:
            return sent

    def read() -> int:
        with controller.download(target) as handle:
            return len(handle.read())

    return server.call(f"read back {job}/{target}", read)
