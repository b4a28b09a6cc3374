"""The picking task: what is missing is picked, then all of it is delivered."""

from __future__ import annotations

from frostpick.runtime.executors.base import Executor
from frostpick.settings import PickSettings
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.results import PickingResult
from frostpick_jobs.tasks.begin import begin, note_micrographs
from frostpick_jobs.tasks.declarations import PICK
from frostpick_jobs.tasks.own_scale import settle_diameter
from frostpick_jobs.tasks.pick.finish import finish_picking
from frostpick_jobs.tasks.pick.not_yet_picked import pick_part
from frostpick_jobs.tasks.pick.prepare import is_live, prepare_picking, read_inputs


def run_pick(host: Host, settings: PickSettings, executor: Executor | None = None) -> PickingResult:
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
    record = begin(host, PICK, settings)
    with record.stage("reading the inputs"):
        micrographs, model = read_inputs(host, settings)
        note_micrographs(record, micrographs)
        scale = settle_diameter(
            host,
            record,
            settings,
            micrographs,
            model=model,
            own_A=model.card.diameter_A,
            live=is_live(host, settings),
        )
    record.add(shipped=host.models.used)
    with record.stage("picking"):
        store, job = prepare_picking(host, scale.settings, micrographs, model, executor)
        part = pick_part(store, job, micrographs, host.reporter)
    devices = [str(device) for device in job.executor.devices]
    record.add(devices=devices, precision=job.plan.precision)
    with record.stage("delivering"):
        return finish_picking(host, store, job, [part], record, figures=scale.figures)
