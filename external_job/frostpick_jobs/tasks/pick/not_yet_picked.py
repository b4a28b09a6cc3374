"""The second phase of a picking job: pick those of a part whose stored result does not hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from frostpick.images import is_machine_error
from frostpick.picking.pick import MicrographFailure, MicrographPicks
from frostpick.picking.plan import PickPlan
from frostpick.picking.work import pick_micrographs
from frostpick.runtime.reporter import Reporter
from frostpick.types import Micrograph
from frostpick_jobs.store import PickKey, PickStore, Repicked, StoredPicks, pick_key
from frostpick_jobs.tasks.pick.prepare import PickJob
from frostpick_jobs.tasks.pick.totals import Share

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """What picking a part of a job came to; its results are in the store.

    Parameters
    ----------
    failed
        ``id -> reason`` of the micrographs that failed.
    shares
        What each of the others adds to the sums.
    """

    failed: dict[str, str] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)


def pick_part(
    store: PickStore, job: PickJob, micrographs: Sequence[Micrograph], reporter: Reporter
) -> Part:
    """Bring the store up to date for any of a job's micrographs.

    Each result is kept as soon as it is there. Parts do not depend on each other, nor
    a result on the part that its micrograph is in.
    """
    part = Part()
    keys = missing_keys(store, job, micrographs, reporter, part)
    before = f", {len(part.shares)} done before" if part.shares else ""
    log.info("%d micrographs: %d to pick%s", len(micrographs), len(keys), before)
    reporter.stage("picking", len(keys))
    todo = (m for m in micrographs if m.id in keys)
    results = pick_micrographs(job.model, todo, job.plan, reporter, job.executor, ordered=False)
    for found in results:
        keep(store, keys, found, part, job.plan)
        reporter.advance(1)
        reporter.check()
    return part


def missing_keys(
    store: PickStore,
    job: PickJob,
    micrographs: Sequence[Micrograph],
    reporter: Reporter,
    part: Part,
) -> dict[str, PickKey]:
    """Return the keys of the micrographs to pick.

    Those whose result holds, and those whose source is gone, are noted in ``part``.
    """
    keys: dict[str, PickKey] = {}
    repicked = Repicked()
    for micrograph in micrographs:
        reporter.check()
        try:
            key = pick_key(job.model.digest, job.plan, micrograph)
        except OSError as error:
            if is_machine_error(error):
                raise
            reason = f"{micrograph.source.name}: {error.strerror or error}"
            part.failed[micrograph.id] = reason
            continue
        held = store.held(key, repicked)
        if held is None:
            keys[micrograph.id] = key
        else:
            part.shares[micrograph.id] = Share.of(held, job.plan.min_distance_A, job.plan.border)
    if repicked.line():
        log.info("%s", repicked.line())
    return keys


def keep(
    store: PickStore,
    keys: dict[str, PickKey],
    found: MicrographPicks | MicrographFailure,
    part: Part,
    plan: PickPlan,
) -> None:
    """Store a result and note its share, or note a failure."""
    if isinstance(found, MicrographFailure):
        part.failed[found.micrograph_id] = found.reason
        return
    result = StoredPicks(
        micrograph_id=found.micrograph_id,
        picks=found.picks,
        shape=found.shape,
        pixel_size_A=found.pixel_size_A,
        seconds=found.seconds,
        preview=found.preview,
        decoys=found.decoys,
    )
    store.put(keys[found.micrograph_id], result)
    part.shares[found.micrograph_id] = Share.of(result, plan.min_distance_A, plan.border)
