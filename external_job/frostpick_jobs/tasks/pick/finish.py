"""The last phase of a picking job: threshold, outputs, figures, record."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from frostpick.errors import FrostpickError, counted, marked
from frostpick.picking.against_noise import AgainstNoise, weigh_against_noise
from frostpick.picking.held_out import ENTRY, held_out_of
from frostpick.report.figure import Figure
from frostpick.report.own_scale import NAME as SCALE
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import Contrast, PickSettings
from frostpick.types import Micrograph
from frostpick_jobs.job.endings import NothingYet
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.outputs import Files, Output, PicksOutput, Report
from frostpick_jobs.job.results import PickingResult
from frostpick_jobs.store import PickStore, StoredPicks
from frostpick_jobs.tasks.audit.population import files_of
from frostpick_jobs.tasks.audit.promise import tell_promise
from frostpick_jobs.tasks.chosen_pictures import keep_figures
from frostpick_jobs.tasks.pick import micrograph_table
from frostpick_jobs.tasks.pick.figures import MOST_SHOWN, pick_figures
from frostpick_jobs.tasks.pick.noise import tell_noise
from frostpick_jobs.tasks.pick.not_yet_picked import Part
from frostpick_jobs.tasks.pick.prepare import DELIVERED, PickJob, is_live
from frostpick_jobs.tasks.pick.stored_outputs import StoredOutputs, Write
from frostpick_jobs.tasks.pick.threshold import (
    Threshold,
    decide_threshold,
    log_changed,
    log_threshold,
)
from frostpick_jobs.tasks.pick.totals import Totals, sum_up
from frostpick_jobs.tasks.repeated import NAME, repeated_objects

log = logging.getLogger(__name__)

MOST_LISTED = 20
#: Tasks whose models have learned from a user's micrographs.
LEARNED_IN = ("train", "fewshot")
#: What the record keeps of a model's ``trained_on``, for `run_select` and `frostpick methods`.
KNOWN = ("task", ENTRY, "labels", "labelled_micrographs")


def finish_picking(
    host: Host,
    store: PickStore,
    job: PickJob,
    parts: Sequence[Part],
    record: RunRecord,
    *,
    made_by: str = "",
    figures: Sequence[Figure] = (),
    others: Sequence[Output] = (),
) -> PickingResult:
    """Choose (or take up) the threshold, and deliver.

    Every micrograph that did not fail is in the store by now.

    Parameters
    ----------
    parts
        What the parts of the job came to, in any order. A result without a share is read
        for the sums, as well as for the outputs.
    made_by
        What the record calls a model that the job made itself.
    figures
        Pictures after those of the picks; kept for `run_select`.
    others
        Outputs beside the picks.

    Raises
    ------
    FrostpickError
        Every micrograph failed; the sentence has the first reason.
    NothingYet
        The same in a job whose session still grows: what earlier rounds delivered stays, the
        first one delivers its outputs without rows.
    """
    store.settle()
    reasons = {name: why for part in parts for name, why in part.failed.items()}
    failed = {m.id: reasons[m.id] for m in job.micrographs if m.id in reasons}
    report_failures(failed)
    nothing = _nothing_yet(host, store, job, failed)
    done = [m for m in job.micrographs if m.id not in failed]
    keep_figures(store, figures)
    shares = {name: one for part in parts for name, one in part.shares.items()}
    totals = sum_up(store, done, shares, job.plan.min_distance_A, job.plan.border)
    settings = job.settings
    known = {k: v for k, v in job.model.card.trained_on.items() if k in KNOWN}
    against = weigh_against_noise(totals.noise)
    own = job.model.card.threshold
    threshold = decide_threshold(
        store,
        job.basis,
        settings.threshold,
        totals.shares,
        own,
        renew=settings.renew_threshold,
        against=against,
    )
    name = settings.model if isinstance(settings, PickSettings) else made_by
    told = {
        "digest": job.model.digest,
        "parent": job.model.card.parent,
        "name": name,
        "trained_on": known,
    }
    record.add(model=told, seed=settings.seed)
    record.add(
        device=str(job.executor.devices[0]),
        threads=job.executor.threads,
        diameter_A=job.plan.diameter_A,
    )
    record.add(min_distance_A=job.plan.min_distance_A, contrast=job.plan.contrast)
    summary = deliver_picks(
        host,
        store,
        done,
        failed,
        threshold,
        settings.output_picks,
        totals,
        record,
        min_distance_A=job.plan.min_distance_A,
        trained_on=known,
        against=against,
        diameter_A=job.plan.diameter_A,
        contrast=job.plan.contrast,
        plots=figures,
        others=others,
    )
    store.write_state(
        DELIVERED,
        {
            "micrographs": [m.id for m in done],
            "failed": dict(failed),
            "files": files_of(done),
            "basis": job.basis,
            "own_threshold": own,
            "record": record.finished(),
        },
    )
    if nothing is not None:
        raise nothing
    return summary


def _nothing_yet(
    host: Host, store: PickStore, job: PickJob, failed: Mapping[str, str]
) -> NothingYet | None:
    """Return what ends a live round in which every micrograph failed; None where some did not.

    It is raised at once where the job has delivered before, and a `FrostpickError` where the
    job's session does not grow.
    """
    if len(failed) < len(job.micrographs):
        return None
    first, reason = next(iter(failed.items()))
    told = f"no micrograph could be picked; the first: {first}: {marked(reason)}"
    if not is_live(host, job.settings):
        raise FrostpickError(told)
    nothing = NothingYet(f"nothing to do yet: {told}")
    if store.read_state(DELIVERED):
        raise nothing
    return nothing


def _in_order(own: Sequence[Figure], plots: Sequence[Figure]) -> list[Figure]:
    """Put the picture of the diameter before those of the micrographs."""
    first = [one for one in plots if one.name == SCALE]
    scores = [one for one in own if not one.is_micrograph]
    pictured = [one for one in own if one.is_micrograph]
    return [*scores, *first, *pictured, *(one for one in plots if one.name != SCALE)]


def report_failures(failed: Mapping[str, str]) -> None:
    """Log at most 20 failed micrographs, and how many more there are."""
    for micrograph_id, reason in list(failed.items())[:MOST_LISTED]:
        log.warning("not picked: %s: %s", micrograph_id, reason)
    if len(failed) > MOST_LISTED:
        log.warning("not picked: %d more micrographs", len(failed) - MOST_LISTED)
    if failed:
        count = counted(len(failed), "micrograph")
        log.warning("%s failed; running the job again tries again", count)


def deliver_picks(
    host: Host,
    store: PickStore,
    done: Sequence[Micrograph],
    failed: Mapping[str, str],
    threshold: Threshold,
    write: Write,
    totals: Totals,
    record: RunRecord,
    *,
    min_distance_A: float,
    trained_on: Mapping[str, Any],
    against: AgainstNoise | None = None,
    diameter_A: float,
    contrast: Contrast,
    plots: Sequence[Figure] = (),
    others: Sequence[Output] = (),
) -> PickingResult:
    """Hand every output to the host, each result read once.

    A stop in between leaves a job that continues.

    Parameters
    ----------
    trained_on
        Those entries of the model's card that tell of its figures.
    against
        What scores are worth in this job.
    """
    log_threshold(threshold, totals.scores, held_out_of(trained_on), against)
    if write == "selected":
        log_changed(threshold)
    outputs = StoredOutputs(store, done, threshold, write)
    host.reporter.stage("writing", len(outputs))
    shown = frozenset(evenly_spread(totals.previewed, MOST_SHOWN))
    counts: list[int] = []
    pictured: list[StoredPicks] = []
    for output, result in outputs.with_results():
        host.reporter.check()
        host.deliver_one(output)
        counts.append(threshold.of(result.micrograph_id).count(output.picks.score))
        pictured += [result] if result.micrograph_id in shown else []
        host.reporter.advance(1)
    repeated = repeated_objects(
        pictured,
        threshold.of,
        diameter_A,
        contrast,
        check=host.reporter.check,
        job=host.place.job,
    )
    places = host.spool / NAME
    repeated.write(places)
    repeated.tell(record)
    learned = trained_on.get("task") in LEARNED_IN
    tell_noise(
        totals.noise, threshold, sum(counts), record, learned=learned, seconds=totals.seconds
    )
    own = pick_figures(
        pictured,
        totals.scores,
        threshold,
        counts,
        len(failed),
        host.title,
        totals.noise,
        held_out_of(trained_on),
        against,
    )
    figures = _in_order(own, [*repeated.figures, *plots])
    host.show(figures)
    summary = PickingResult(
        place=host.place,
        failed=dict(failed),
        micrographs=len(done),
        picks=len(totals.scores),
        selected=sum(counts),
        threshold=threshold.score,
    )
    record.add(
        threshold={
            "score": threshold.score,
            "rule": threshold.rule,
            "frozen": threshold.frozen,
            "provisional": threshold.provisional,
            "kept_by_micrographs": len(threshold.kept),
            "by_micrograph": threshold.by_micrograph,
            "against_noise": None if against is None else vars(against),
        },
        write=write,
        counts={
            "micrographs": summary.micrographs,
            "failed": len(failed),
            "picks": summary.picks,
            "selected": summary.selected,
        },
        failed=dict(failed),
        seconds_by_stage=dict(totals.seconds),
    )
    tell_promise(threshold.promise, host, record)
    table = host.spool / micrograph_table.NAME
    micrograph_table.write_table(
        table,
        ((m.id, n, threshold.of(m.id).score) for m, n in zip(done, counts, strict=True)),
        list(failed),
    )
    host.deliver(
        [
            PicksOutput(
                threshold.score,
                totals.scores,
                min_distance_A,
                dict(failed),
                kept=threshold.others,
            ),
            *others,
            Files({micrograph_table.NAME: table, NAME: places}),
            Report(record.finished(), figures, dict(failed)),
        ]
    )
    return summary
