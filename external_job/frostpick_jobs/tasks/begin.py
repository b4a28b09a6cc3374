"""How every task begins: its inputs go together, the host is ready, the folder is its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from frostpick.runtime.run_record import RunRecord
from frostpick.settings import RunSettings
from frostpick.types import Micrograph
from frostpick_jobs.job.cleaned import forget_cleaned
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.output_folder import claim_output_folder, refuse_other
from frostpick_jobs.tasks.declarations import TaskSpec, check_inputs
from frostpick_jobs.tasks.outputs import check_outputs


def begin(host: Host, task: TaskSpec, settings: RunSettings) -> RunRecord:
    """Check what was given, begin the host, claim its folder, and return the record of the run.

    Raises
    ------
    InputError
        An input is missing, the folder holds another kind of job, or a file that the job
        would write is an input or not its own.
    ConfigError
        Inputs do not go together.
    """
    record = RunRecord(task.name, host.name, settings.model_dump(mode="json"))
    host.record = record
    host.given = dict(host.inputs)
    check_inputs(task, host.given, settings)
    host.begin()
    refuse_other(host.spool, task.name)
    check_outputs(host, task, settings)
    claim_output_folder(host.spool, task.name)
    forget_cleaned(host.spool)
    return record


def note_micrographs(record: RunRecord, micrographs: Iterable[Micrograph]) -> None:
    """Note how many micrographs a job has read, and what tells their list from another.

    The digest is the SHA-256 of their ids, each with a line end, in the host's order.
    """
    ids = [one.id for one in micrographs]
    text = "".join(f"{one}\n" for one in ids).encode("utf-8", "surrogateescape")
    record.add(micrographs_read={"count": len(ids), "sha256": hashlib.sha256(text).hexdigest()})
