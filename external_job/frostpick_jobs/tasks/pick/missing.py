"""Pick the micrographs whose stored result does not hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from frostpick.models.picking_model import PickingModel
from frostpick.picking.pick import MicrographFailure, MicrographPicks
from frostpick.picking.plan import PickPlan
from frostpick.picking.work import pick_micrographs
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.reporter import Reporter
from frostpick.types import Micrograph
from frostpick_jobs.store import PickKey, PickStore, Repicked, StoredPicks, pick_key

log = logging.getLogger(__name__)


def pick_missing(
    store: PickStore,
    model: PickingModel,
    plan: PickPlan,
    micrographs: Sequence[Micrograph],
    reporter: Reporter,
    executor: Executor,
) -> dict[str, str]:
    """Bring the store up to date; each result is kept as soon as it is there.

    Returns
    -------
    dict
        ``id -> reason`` of the micrographs that failed, in the order given.
    """
    failed: dict[str, str] = {}
    keys = missing_keys(store, model, plan, micrographs, reporter, failed)
    log.info("%d micrographs: %d to pick", len(micrographs), len(keys))
    reporter.stage("picking", len(keys))
    todo = (m for m in micrographs if m.id in keys)
    for found in pick_micrographs(model, todo, plan, reporter, executor, ordered=False):
        keep(store, keys, found, failed)
        reporter.advance(1)
        reporter.check()
    return {m.id: failed[m.id] for m in micrographs if m.id in failed}


def missing_keys(
    store: PickStore,
    model: PickingModel,
    plan: PickPlan,
    micrographs: Sequence[Micrograph],
    reporter: Reporter,
    failed: dict[str, str],
) -> dict[str, PickKey]:
    """Return the keys of the micrographs to pick; sources that are gone go to ``failed``."""
    keys: dict[str, PickKey] = {}
    repicked = Repicked()
    for micrograph in micrographs:
        reporter.check()
        try:
            key = pick_key(model.digest, plan, micrograph)
        except OSError as error:
            failed[micrograph.id] = f"{micrograph.source.name}: {error.strerror or error}"
            continue
        if not store.holds(key, repicked):
            keys[micrograph.id] = key
    if repicked.line():
        log.info("%s", repicked.line())
    return keys


def keep(
    store: PickStore,
    keys: dict[str, PickKey],
    found: MicrographPicks | MicrographFailure,
    failed: dict[str, str],
) -> None:
    """Store a result, or note a failure."""
    if isinstance(found, MicrographFailure):
        failed[found.micrograph_id] = found.reason
        return
    result = StoredPicks(
        micrograph_id=found.micrograph_id,
        picks=found.picks,
        shape=found.shape,
        pixel_size_A=found.pixel_size_A,
        seconds=found.seconds,
        preview=found.preview,
    )
    store.put(keys[found.micrograph_id], result)
