"""The picking task: what is missing is picked, then all of it is delivered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from frostpick.config import PickSettings
from frostpick.errors import FrostpickError
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.run_record import RunRecord
from frostpick_jobs.job.claim import claim
from frostpick_jobs.job.host import Host
from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.job_models import JobModels
from frostpick_jobs.tasks.pick.contrast import settle
from frostpick_jobs.tasks.pick.finish import PickSummary, finish_picking, forget_other_results
from frostpick_jobs.tasks.pick.missing import pick_missing
from frostpick_jobs.tasks.pick.prepare import read_inputs

log = logging.getLogger(__name__)

MOST_LISTED = 20

__all__ = ["PickSummary", "run_pick"]


def run_pick(host: Host, settings: PickSettings, executor: Executor | None = None) -> PickSummary:
    """Pick a host's micrographs and deliver the picks.

    Calls `Host.begin`, picks every micrograph whose stored result does not
    hold, and when all are done chooses (or takes up) the threshold and calls
    `Host.deliver_one` for each and `Host.deliver` once. `Host.end` is called by
    `frostpick_jobs.job.lifecycle`, under which this runs.

    Parameters
    ----------
    executor
        Who picks, and where. None: the devices of the settings, one process each.

    Raises
    ------
    InputError
        No micrographs, or a folder that holds another kind of job.
    FrostpickError
        Every micrograph failed; the sentence has the first reason.
    """
    record = RunRecord("pick", host.name, settings.model_dump(mode="json"))
    host.begin()
    claim(host.spool, "pick")
    models = JobModels(host.spool)
    with record.stage("reading the inputs"):
        job = read_inputs(host, settings, models, executor)
    record.add(shipped=models.used)
    store = PickStore(host.spool)
    with record.stage("picking"):
        plan = settle(store, job.model, job.plan, job.micrographs, host.reporter)
        job = replace(job, plan=plan)
        forget_other_results(store, job)
        failed = pick_missing(
            store, job.model, job.plan, job.micrographs, host.reporter, job.executor
        )
    report_failures(failed)
    if len(failed) == len(job.micrographs):
        raise FrostpickError(f"no micrograph could be picked; the first: {first_failure(failed)}")
    record.add(devices=[str(device) for device in job.executor.devices], precision=plan.precision)
    with record.stage("delivering"):
        return finish_picking(host, store, job, failed, record)


def report_failures(failed: Mapping[str, str]) -> None:
    """Log at most 20 failed micrographs, and how many more there are."""
    for micrograph_id, reason in list(failed.items())[:MOST_LISTED]:
        log.warning("not picked: %s: %s", micrograph_id, reason)
    if len(failed) > MOST_LISTED:
        log.warning("not picked: %d more micrographs", len(failed) - MOST_LISTED)
    if failed:
        count = "1 micrograph" if len(failed) == 1 else f"{len(failed)} micrographs"
        log.warning("%s failed; running the job again tries again", count)


def first_failure(failed: Mapping[str, str]) -> str:
    """Return ``id: reason`` of the first failure."""
    micrograph_id, reason = next(iter(failed.items()))
    return f"{micrograph_id}: {reason}"
