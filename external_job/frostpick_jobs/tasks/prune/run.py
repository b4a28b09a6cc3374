"""The pruning task: rows of picks or particles in, every one kept or rejected out.

What a row's score and its fate come from is in `frostpick.pruning`; here the host's inputs are
read, the scores of groups are kept, and the decisions are delivered.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, option
from frostpick.models.pruner.model import Pruner
from frostpick.pruning.contrast import settle_prune_contrast
from frostpick.pruning.doubts import rows_labelled, warn_of_doubts
from frostpick.pruning.fit import Fitted, LabelledRows, fit_to_job
from frostpick.pruning.groups import Group, group_rows, in_parts
from frostpick.pruning.judge import Judgement, prune_rows, verify_rows
from frostpick.pruning.plan import PrunePlan, plan_pruning
from frostpick.pruning.scoring import Scored, score_rows
from frostpick.report.figure import Figure
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import PruneSettings, VerifySettings
from frostpick_jobs.job.host import Host, InputRows
from frostpick_jobs.job.outputs import KeptRows, ModelOutput, Report, ScoredRows
from frostpick_jobs.job.results import PruningResult, VerifyingResult
from frostpick_jobs.store.prune_store import PruneStore
from frostpick_jobs.tasks.audit.promise import Audited, Promise, tell_promise
from frostpick_jobs.tasks.begin import begin, note_micrographs
from frostpick_jobs.tasks.declarations import PRUNE, VERIFY
from frostpick_jobs.tasks.own_scale import settle_diameter
from frostpick_jobs.tasks.places import check_places
from frostpick_jobs.tasks.preflight import for_scores_alone
from frostpick_jobs.tasks.prune.figures import prune_figures
from frostpick_jobs.tasks.prune.population import SPOOL, keep_rows, rows_digest

log = logging.getLogger(__name__)

#: Folders below `SPOOL` of scores and of the fitted pruner.
SCORES, FITTED = "scores", "fitted"


@dataclass(frozen=True)
class _Inputs:
    """What a host gave, and what is done with it.

    Parameters
    ----------
    settings
        With the diameter that was found.
    groups
        The rows by micrograph and stack.
    parts
        The same, as they are scored one after the other.
    """

    candidates: InputRows
    settings: PruneSettings
    groups: Sequence[Group]
    parts: Sequence[Group]
    pruner: Pruner
    plan: PrunePlan
    figures: Sequence[Figure] = ()


def run_prune(
    host: Host, settings: PruneSettings, executor: Executor | None = None
) -> PruningResult:
    """Decide on every row of a host's picks or particles, and deliver the decisions.

    Calls `Host.begin` and `Host.deliver`; `Host.end` is called by
    `frostpick_jobs.job.lifecycle`, under which this runs. A stopped job goes on with the
    groups (micrographs, stacks) that it has not scored yet.

    Parameters
    ----------
    executor
        Who scores the rows, and where. None: this process, on the first device of the settings.

    Raises
    ------
    InputError
        No rows, labels that cannot be used, or a folder that holds another kind of job.
    """
    record = begin(host, PRUNE, settings)
    spool = host.spool / SPOOL
    if settings.restart and spool.exists():
        shutil.rmtree(spool)
    inputs = _read_inputs(host, record, settings, rotations=4 if settings.four_rotations else 1)
    plan, settings = inputs.plan, inputs.settings
    with record.stage("fitting"):
        fitted = fit_to_job(
            inputs.pruner,
            inputs.groups,
            _labelled(host, record, settings, plan),
            settings,
            plan,
            spool / FITTED,
            host.reporter,
        )
    with record.stage("scoring"):
        scored = _score(host, inputs, fitted.pruner, executor)
    pruner, asked = fitted.pruner.digest, settings.threshold
    judged = prune_rows(
        scored.rows,
        inputs.candidates.merit,
        settings,
        plan.min_distance_A,
        lambda scores, expected: _audited(host, pruner, scores).choose(asked, expected),
    )
    labelled = rows_labelled(fitted.known, inputs.parts, scored.rows, plan.geometry.diameter_A)
    warn_of_doubts(judged, labelled)
    record.add(
        threshold={
            "score": judged.threshold,
            "rule": str(asked),
            "frozen": False,
            "by_micrograph": asked.kind == "per-micrograph",
        },
        min_distance_A=plan.min_distance_A,
        expected_good=judged.share,
        figure_of_merit={"rows": 0 if judged.word is None else int(judged.word.rows.sum())},
    )
    counted = judged.decisions.score[judged.counted]
    audited = _audited(host, pruner, counted)
    promise = Promise.of(asked, judged.threshold, audited, counted)
    tell_promise(promise, host, record, again="give the same command again")
    keep_rows(spool, inputs.groups, plan, scored, judged, pruner, asked)
    told = _told(host, record, inputs, settings, fitted, scored, judged)
    host.deliver([KeptRows(judged.decisions), ModelOutput("pruner", fitted.pruner), told])
    return PruningResult(
        host.place, told.failed, judged.decisions, fitted.pruner, judged.threshold, told.record
    )


def _audited(host: Host, pruner: str, scores: NDArray[np.float64]) -> Audited:
    """Return the audit of these rows, if there is one."""
    return Audited.of(host.spool, rows_digest(pruner, scores))


def run_verify(
    host: Host, settings: VerifySettings, executor: Executor | None = None
) -> VerifyingResult:
    """Score every row by the mean and the spread over four rotations; no row is dropped.

    ``executor`` is as for `run_prune`.
    """
    record = begin(host, VERIFY, settings)
    inputs = _read_inputs(host, record, for_scores_alone(settings), rotations=4)
    with record.stage("scoring"):
        scored = _score(host, inputs, inputs.pruner, executor)
    judged = verify_rows(scored.rows)
    told = _told(host, record, inputs, inputs.settings, Fitted(inputs.pruner), scored, judged)
    host.deliver([ScoredRows(judged.decisions), told])
    return VerifyingResult(
        host.place, told.failed, judged.decisions, inputs.pruner, judged.threshold, told.record
    )


def _read_inputs(
    host: Host, record: RunRecord, settings: PruneSettings, *, rotations: int
) -> _Inputs:
    with record.stage("reading the inputs"):
        candidates = host.input_rows()
        groups = _groups(candidates)
        _check(candidates.rows, groups)
        parts = in_parts(groups)
        pruner = host.models.pruner(settings.pruner)
        record.add(shipped=host.models.used)
        on = list({m.id: m for m, _ in candidates.picks}.values())
        note_micrographs(record, on)
        own_A = pruner.card.diameter_A
        scale = settle_diameter(host, record, settings, on, model=None, own_A=own_A)
        settings = scale.settings
        plan = plan_pruning(pruner, settings, rotations=rotations)
        _check_places(host, record, settings, candidates, plan, "picks")
        plan = settle_prune_contrast(parts, plan, host.reporter)
        return _Inputs(candidates, settings, groups, parts, pruner, plan, scale.figures)


def _groups(candidates: InputRows) -> Sequence[Group]:
    return group_rows(candidates.picks, candidates.stacks)


def _check(rows: int, groups: Sequence[Group]) -> None:
    if rows == 0:
        raise InputError("no picks and no particles to look at; expected at least one row")
    count = sum(len(group) for group in groups)
    if count == 0:
        raise InputError(
            f"none of the {rows} rows has an image: no name of the table is that of a "
            f"micrograph of this job; check {option('micrographs')}"
        )
    if count < rows:
        log.warning(
            "%d of %d rows belong to no micrograph of this job and are not looked at",
            rows - count,
            rows,
        )


def _check_places(
    host: Host,
    record: RunRecord,
    settings: PruneSettings,
    rows: InputRows,
    plan: PrunePlan,
    what: str,
) -> None:
    """Compare the positions of rows with the images; particles that are cut out have none."""
    check_places(
        host,
        record,
        [micrograph for micrograph, _ in rows.picks],
        {micrograph.id: picks for micrograph, picks in rows.picks},
        settings,
        diameter_A=plan.geometry.diameter_A,
        what=what,
    )


def _labelled(
    host: Host, record: RunRecord, settings: PruneSettings, plan: PrunePlan
) -> LabelledRows:
    judged = host.labelled_rows()
    if judged.good is not None:
        _check_places(host, record, settings, judged.good, plan, "good examples")
    good, bad = (None if one is None else _groups(one) for one in (judged.good, judged.bad))
    return LabelledRows(good, bad, judged.rest)


def _score(host: Host, inputs: _Inputs, pruner: Pruner, executor: Executor | None) -> Scored:
    plan = inputs.plan
    store = PruneStore(host.spool / SPOOL / SCORES, pruner.digest, plan.key())
    scored = score_rows(
        inputs.candidates.rows, inputs.parts, pruner, plan, store, host.reporter, executor
    )
    store.settle()
    return scored


def _told(
    host: Host,
    record: RunRecord,
    inputs: _Inputs,
    settings: PruneSettings,
    fitted: Fitted,
    scored: Scored,
    judged: Judgement,
) -> Report:
    """Show the pictures and finish the record."""
    plan, decisions, failed = inputs.plan, judged.decisions, dict(scored.failed)
    counts = decisions.counts()
    log.info("%s", ", ".join(f"{name}: {count}" for name, count in counts.items()))
    with record.stage("pictures"):
        figures = prune_figures(
            inputs.parts, plan, fitted, scored.rows, judged, scored.names, host.title
        )
        figures = [*figures, *inputs.figures]
    host.show(figures)
    record.add(
        model={
            "digest": fitted.pruner.digest,
            "parent": fitted.pruner.card.parent,
            "name": settings.pruner,
        },
        seed=settings.seed,
        device=str(plan.device),
        threads=plan.threads,
        diameter_A=plan.geometry.diameter_A,
        counts={"rows": len(decisions), "micrographs": len(scored.names), **counts},
        labels=dict(fitted.summary),
        failed=failed,
    )
    return Report(record.finished(), figures, failed)
