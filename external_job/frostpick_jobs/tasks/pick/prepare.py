"""The first phase of a picking job: what it works with, read and settled once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from frostpick.config import PickSettings
from frostpick.errors import InputError
from frostpick.models.picking_model import PickingModel
from frostpick.picking.plan import PickPlan, plan_picking
from frostpick.picking.threshold import parse_threshold
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.spread import spread
from frostpick.types import Micrograph
from frostpick_jobs.job.host import Host
from frostpick_jobs.tasks.job_models import JobModels

log = logging.getLogger(__name__)

MOST_PREVIEWS = 12


@dataclass(frozen=True)
class PickJob:
    """What a picking job works with, once its inputs are read.

    Parameters
    ----------
    micrographs
        Those to pick, in the host's order, `PickSettings.limit` applied.
    executor
        Who picks them, and where.
    """

    settings: PickSettings
    micrographs: Sequence[Micrograph]
    model: PickingModel
    plan: PickPlan
    executor: Executor


def read_inputs(
    host: Host, settings: PickSettings, models: JobModels, executor: Executor | None = None
) -> PickJob:
    """Read the micrographs and the model, and resolve the settings against them.

    Parameters
    ----------
    executor
        Who picks, and where. None: the devices of the settings.
    """
    parse_threshold(settings.threshold)
    everything = host.micrographs()
    if not everything:
        raise InputError("no micrographs to pick; give some with --micrographs")
    micrographs = spread(everything, settings.limit or len(everything))
    if len(micrographs) < len(everything):
        log.info(
            "limit: %d of %d micrographs, spread over the set", len(micrographs), len(everything)
        )
    model = host.model() or models.picking(settings.model)
    shown = frozenset(m.id for m in spread(micrographs, MOST_PREVIEWS))
    executor = executor or LocalExecutor(settings.device, settings.threads)
    plan = plan_picking(model, settings, shown, executor)
    return PickJob(settings, micrographs, model, plan, executor)
