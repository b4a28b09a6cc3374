"""The first phase of a picking job: what it works with, read and settled once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from frostpick.errors import NoInputError, option
from frostpick.models.picking_model import PickingModel
from frostpick.picking.null import looked_at_for_noise
from frostpick.picking.plan import PickPlan, plan_picking
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.settings import PickingSettings, PickSettings
from frostpick.types import Micrograph
from frostpick_jobs.job.endings import NothingYet
from frostpick_jobs.job.host import Host
from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.pick.contrast import settle
from frostpick_jobs.tasks.pick.threshold import threshold_basis

log = logging.getLogger(__name__)

MOST_PREVIEWS = 12
#: Name of the store's state of a job that came to its end; `run_select` starts from it.
DELIVERED = "delivered"


@dataclass(frozen=True)
class PickJob:
    """What a picking job works with, once its inputs are read and its contrast is settled.

    Parameters
    ----------
    micrographs
        Those to pick, in the host's order, `PickingSettings.max_micrographs` applied.
    executor
        Who picks them, and where.
    """

    settings: PickingSettings
    micrographs: Sequence[Micrograph]
    model: PickingModel
    plan: PickPlan
    executor: Executor

    @property
    def basis(self) -> str:
        """What a frozen threshold of the job stands on."""
        return threshold_basis(self.model.digest, self.plan, self.settings.max_micrographs)


def read_inputs(host: Host, settings: PickSettings) -> tuple[Sequence[Micrograph], PickingModel]:
    """Read the micrographs to pick and the model."""
    everything = all_micrographs(host, settings)
    micrographs = evenly_spread(everything, settings.max_micrographs or len(everything))
    if len(micrographs) < len(everything):
        log.info(
            "%d of %d micrographs, spread evenly over the set", len(micrographs), len(everything)
        )
    return micrographs, host.models.picking(settings.model)


def is_live(host: Host, settings: PickingSettings) -> bool:
    """Tell whether the job's session still grows, so that an empty round is no failure."""
    return settings.live or host.live


def all_micrographs(host: Host, settings: PickingSettings) -> Sequence[Micrograph]:
    """Return the host's micrographs.

    Raises
    ------
    NothingYet
        There are none yet, and the session of the job still grows.
    InputError
        There are none.
    """
    try:
        everything = host.micrographs()
        if not everything:
            raise NoInputError(f"no micrographs to pick; give some with {option('micrographs')}")
    except NoInputError as error:
        if is_live(host, settings):
            raise NothingYet(f"nothing to do yet: {error.template}") from error
        raise
    return everything


def prepare_picking(
    host: Host,
    settings: PickingSettings,
    micrographs: Sequence[Micrograph],
    model: PickingModel,
    executor: Executor | None = None,
) -> tuple[PickStore, PickJob]:
    """Resolve the settings against the model, and settle the contrast for all parts of the job.

    A job that is to pick anew is no longer one that came to its end. Else a stop in between
    would leave a mixture of results that `run_select` takes for one.

    Parameters
    ----------
    executor
        Who picks, and where. None: the devices of the settings.
    """
    shown = frozenset(m.id for m in evenly_spread(micrographs, MOST_PREVIEWS))
    executor = executor or LocalExecutor(settings.device, settings.threads)
    plan = plan_picking(model, settings, shown, executor)
    plan = replace(plan, decoy_ids=looked_at_for_noise(model, [m.id for m in micrographs]))
    store = PickStore(host.spool)
    plan = settle(store, model, plan, micrographs, host.reporter)
    job = PickJob(settings, micrographs, model, plan, executor)
    delivered = store.read_state(DELIVERED)
    if delivered and delivered.get("basis") != job.basis:
        store.forget_state(DELIVERED)
    return store, job
