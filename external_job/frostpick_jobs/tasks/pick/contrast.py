"""The sign of the particles of a job: found out once, then frozen."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

from frostpick.models.picking_model import PickingModel
from frostpick.picking.plan import PickPlan, settle_contrast
from frostpick.runtime.reporter import Reporter
from frostpick.types import Micrograph
from frostpick_jobs.store import PickStore
from frostpick_jobs.store.keys import plan_settings, text_digest

log = logging.getLogger(__name__)

STATE = "contrast"


def settle(
    store: PickStore,
    model: PickingModel,
    plan: PickPlan,
    micrographs: Sequence[Micrograph],
    reporter: Reporter,
) -> PickPlan:
    """Return the plan with ``auto`` contrast decided, the same on every continue.

    Micrographs that arrive later could tip the vote, and with it every result.
    """
    if plan.contrast != "auto":
        return plan
    basis = text_digest(model.digest, json.dumps(plan_settings(plan), sort_keys=True))
    state = store.read_state(STATE)
    found = state.get("contrast")
    if state.get("basis") == basis and found in ("dark", "light"):
        log.info("contrast: particles are %s (found by an earlier run of this job)", found)
        return replace(plan, contrast=found)
    settled = settle_contrast(model, micrographs, plan, reporter)
    store.write_state(STATE, {"basis": basis, "contrast": settled.contrast})
    return settled
