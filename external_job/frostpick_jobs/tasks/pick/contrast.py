"""The sign of the particles of a job: found out, and frozen once enough micrographs have voted."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

from frostpick.models.picking_model import PickingModel
from frostpick.picking.plan import CONTRAST_SAMPLE, PickPlan, settle_contrast
from frostpick.runtime.reporter import Reporter
from frostpick.types import Micrograph
from frostpick_jobs.store import PickStore
from frostpick_jobs.store.keys import plan_settings, text_digest

log = logging.getLogger(__name__)

STATE, LOOKED = "contrast", "contrast_looked"


def settle(
    store: PickStore,
    model: PickingModel,
    plan: PickPlan,
    micrographs: Sequence[Micrograph],
    reporter: Reporter,
) -> PickPlan:
    """Return the plan with ``auto`` contrast decided, the same on every continue.

    Micrographs that arrive later could tip the vote, and with it every result. While a job
    grows to `CONTRAST_SAMPLE` micrographs they may: a first micrograph that is blank votes
    for either side, and what was picked with the wrong one is worth nothing.

    Another plan is unchanged; that the images contradict it is looked for once, and again while
    a job grows so far.
    """
    basis = text_digest(model.digest, json.dumps(plan_settings(plan), sort_keys=True))
    if plan.contrast != "auto":
        looked = {"basis": basis, "micrographs": min(len(micrographs), CONTRAST_SAMPLE)}
        if store.read_state(LOOKED) != looked:
            settle_contrast(model, micrographs, plan, reporter)
            store.write_state(LOOKED, looked)
        return plan
    state = store.read_state(STATE)
    found = state.get("contrast")
    voted = 0
    if state.get("basis") == basis and found in ("dark", "light"):
        voted = int(state.get("micrographs", CONTRAST_SAMPLE))  # a state of before had no number
        if voted >= CONTRAST_SAMPLE or len(micrographs) <= voted:
            log.info("contrast: particles are %s (found by an earlier run of this job)", found)
            return replace(plan, contrast=found)
    settled = settle_contrast(model, micrographs, plan, reporter)
    if voted and settled.contrast != found:
        log.warning(
            "contrast: particles are %s by %d micrographs, and were taken for %s by the first %d; "
            "all are picked anew",
            settled.contrast,
            len(micrographs),
            found,
            voted,
        )
    told = {"basis": basis, "contrast": settled.contrast, "micrographs": len(micrographs)}
    store.write_state(STATE, told)
    return settled
