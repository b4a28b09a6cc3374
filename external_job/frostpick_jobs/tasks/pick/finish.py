"""The end of a picking job: threshold, outputs, figures, record."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from frostpick.report.figure import Figure
from frostpick.runtime.run_record import RunRecord
from frostpick.types import Micrograph
from frostpick_jobs.job.host import Delivery, Host, MicrographOutput
from frostpick_jobs.store import PickStore, StoredPicks
from frostpick_jobs.tasks.kept_figures import keep_figures
from frostpick_jobs.tasks.pick.figures import pick_figures
from frostpick_jobs.tasks.pick.prepare import PickJob
from frostpick_jobs.tasks.pick.threshold import (
    Threshold,
    decide_threshold,
    log_threshold,
    threshold_basis,
)

log = logging.getLogger(__name__)

#: Name of the store's state that `run_select` starts from.
DELIVERED = "delivered"

Write = Literal["selected", "all"]


@dataclass(frozen=True)
class PickSummary:
    """What a picking job came to."""

    micrographs: int
    failed: Mapping[str, str]
    picks: int
    selected: int
    threshold: float


@dataclass(frozen=True)
class StoredOutputs:
    """Outputs in the host's order, read from the store anew at each iteration.

    With ``write="all"`` every pick above the floor counts as selected, so that a
    host's native outputs, which hold the selected picks, hold all.
    """

    store: PickStore
    micrographs: Sequence[Micrograph]
    threshold: float
    write: Write = "selected"

    def __len__(self) -> int:
        return len(self.micrographs)

    def __iter__(self) -> Iterator[MicrographOutput]:
        least = self.threshold if self.write == "selected" else -np.inf
        for micrograph in self.micrographs:
            found = self.store.get(micrograph.id)
            yield MicrographOutput(
                micrograph, found.picks.select(least), found.shape, found.pixel_size_A
            )


@dataclass(frozen=True)
class Totals:
    """Sums over the stored results.

    Parameters
    ----------
    scores
        ``(n,)`` scores of all picks above the floor.
    seconds
        Time of each stage of the engine.
    previewed
        Ids of the micrographs that have a preview.
    """

    scores: NDArray[np.float64]
    seconds: Mapping[str, float]
    previewed: Sequence[str]


def forget_other_results(store: PickStore, job: PickJob) -> None:
    """Forget that the job came to its end, when it is to pick anew.

    Else a stop in between would leave a mixture of results that `run_select` takes for one.
    """
    delivered = store.read_state(DELIVERED)
    if delivered and delivered.get("basis") != _basis(job):
        store.forget_state(DELIVERED)


def finish_picking(
    host: Host,
    store: PickStore,
    job: PickJob,
    failed: Mapping[str, str],
    record: RunRecord,
    *,
    figures: Sequence[Figure] = (),
    files: Mapping[str, Path] | None = None,
) -> PickSummary:
    """Choose the threshold over all stored picks, and deliver.

    Every micrograph that did not fail is in the store by now.

    Parameters
    ----------
    figures
        Pictures after those of the picks; kept for `run_select`.
    files
        See `Delivery`.
    """
    done = [m for m in job.micrographs if m.id not in failed]
    keep_figures(store, figures)
    totals = sum_up(store, done)
    settings = job.settings
    basis = _basis(job)
    threshold = decide_threshold(
        store, basis, settings.threshold, totals.scores, job.model.card.threshold
    )
    record.add(model={"digest": job.model.digest, "name": settings.model}, seed=settings.seed)
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
        settings.write,
        totals,
        record,
        plots=figures,
        files=files,
    )
    store.write_state(
        DELIVERED,
        {
            "micrographs": [m.id for m in done],
            "failed": dict(failed),
            "basis": basis,
            "record": record.finished(),
        },
    )
    return summary


def _basis(job: PickJob) -> str:
    return threshold_basis(job.model.digest, job.plan, job.settings.limit)


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
    plots: Sequence[Figure] = (),
    files: Mapping[str, Path] | None = None,
) -> PickSummary:
    """Hand every output to the host; a stop in between leaves a job that continues."""
    log_threshold(threshold, totals.scores)
    outputs = StoredOutputs(store, done, threshold.score, write)
    host.reporter.stage("writing", len(outputs))
    counts = []
    for output in outputs:
        host.reporter.check()
        host.deliver_one(output)
        counts.append(int(np.count_nonzero(output.picks.score >= threshold.score)))
        host.reporter.advance(1)
    own = pick_figures(store, totals.previewed, totals.scores, threshold.score, counts, len(failed))
    figures = [(plot.name, plot.png, plot.caption) for plot in (*own, *plots)]
    for figure in figures:
        host.reporter.figure(*figure)
    summary = PickSummary(
        micrographs=len(done),
        failed=dict(failed),
        picks=len(totals.scores),
        selected=int(np.count_nonzero(totals.scores >= threshold.score)),
        threshold=threshold.score,
    )
    record.add(
        threshold={"score": threshold.score, "rule": threshold.rule, "frozen": threshold.frozen},
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
    host.deliver(
        Delivery(
            outputs=outputs,
            failed=dict(failed),
            threshold=threshold.score,
            scores=totals.scores,
            record=record.finished(),
            figures=figures,
            files=files or {},
        )
    )
    log.info(
        "%d micrographs, %d picks above the floor, %d selected",
        summary.micrographs,
        summary.picks,
        summary.selected,
    )
    return summary


def sum_up(store: PickStore, micrographs: Sequence[Micrograph]) -> Totals:
    """Read every stored result once; scores alone stay in memory."""
    scores: list[NDArray[np.float64]] = [np.zeros(0)]
    seconds: dict[str, float] = {}
    previewed: list[str] = []
    for micrograph in micrographs:
        found: StoredPicks = store.get(micrograph.id)
        scores.append(found.picks.score)
        if found.preview is not None:
            previewed.append(micrograph.id)
        for stage, value in found.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    return Totals(np.concatenate(scores), seconds, previewed)
