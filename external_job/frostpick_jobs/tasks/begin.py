"""How every task begins: its inputs go together, the host is ready, the folder is its own."""

from __future__ import annotations

from frostpick.runtime.run_record import RunRecord
from frostpick.settings import Settings
from frostpick_jobs.job.claim import claim
from frostpick_jobs.job.host import Host
from frostpick_jobs.tasks.declarations import TaskSpec, check_inputs


def begin(host: Host, task: TaskSpec, settings: Settings) -> RunRecord:
    """Check what was given, begin the host, claim its folder, and return the record of the run.

    Raises
    ------
    InputError
        An input is missing, or the folder holds another kind of job.
    ConfigError
        Inputs do not go together.
    """
    record = RunRecord(task.name, host.name, settings.model_dump(mode="json"))
    check_inputs(task, host.inputs, settings)
    host.begin()
    claim(host.spool, task.name)
    return record
