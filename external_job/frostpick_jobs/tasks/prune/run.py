"""The pruning task: rows of picks or particles in, every one kept or rejected out."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.config import PruneSettings, VerifySettings
from frostpick.errors import InputError
from frostpick.models.pruner.model import Pruner
from frostpick.picking.threshold import choose_threshold, parse_threshold
from frostpick.pruning.contrast import settle_prune_contrast
from frostpick.pruning.decide import ScoredRows, decide
from frostpick.pruning.figure_of_merit import MeritWord, merit_word
from frostpick.pruning.plan import PrunePlan, plan_pruning
from frostpick.pruning.prior import log_odds, particle_share
from frostpick.pruning.prune import (
    Group,
    GroupFailure,
    GroupScores,
    PickGroup,
    StackGroup,
    score_groups,
)
from frostpick.pruning.score import BoxScorer
from frostpick.runtime.run_record import RunRecord
from frostpick.types import Decisions
from frostpick_jobs.job.claim import claim
from frostpick_jobs.job.host import Candidates, Delivery, Host
from frostpick_jobs.store.prune_store import PruneStore
from frostpick_jobs.tasks.job_models import JobModels
from frostpick_jobs.tasks.prune.figures import prune_figures
from frostpick_jobs.tasks.prune.fit import Fitted, fit_to_job

log = logging.getLogger(__name__)

SPOOL = "pruning"
#: Particles of one stack that are in memory at a time: 64 MiB of boxes, twice.
MOST_IN_GROUP = 4096


@dataclass(frozen=True)
class PruneSummary:
    """What a pruning or verifying job came to."""

    decisions: Decisions
    pruner: Pruner
    threshold: float
    failed: Mapping[str, str]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class _Scored:
    """The rows of a job with their scores, as far as their images could be read.

    Parameters
    ----------
    failed
        Why groups could not be read, by name.
    names
        Micrographs, in the order of their numbers in ``rows.group``.
    word
        What the figures of merit of their picker added to the scores; None if nothing.
    """

    candidates: Candidates
    rows: ScoredRows
    failed: Mapping[str, str]
    names: Sequence[str]
    word: MeritWord | None = None


def run_prune(host: Host, settings: PruneSettings) -> PruneSummary:
    """Decide on every row of a host's picks or particles, and deliver the decisions.

    Calls `Host.begin` and `Host.deliver`; `Host.end` is called by
    `frostpick_jobs.job.lifecycle`, under which this runs. A stopped job goes on with the
    groups (micrographs, stacks) that it has not scored yet.

    Raises
    ------
    InputError
        No rows, labels that cannot be used, or a folder that holds another kind of job.
    """
    parse_threshold(settings.keep_at)
    record = RunRecord("prune", host.name, settings.model_dump(mode="json"))
    host.begin()
    claim(host.spool, "prune")
    spool = host.spool / SPOOL
    if settings.restart and spool.exists():
        shutil.rmtree(spool)
    with record.stage("reading the inputs"):
        candidates = _candidates(host)
        models = JobModels(host.spool)
        start = host.pruner() or models.pruner(settings.pruner)
        record.add(shipped=models.used)
        plan = plan_pruning(start, settings, rotations=4 if settings.four_rotations else 1)
        plan = settle_prune_contrast(groups_of(candidates), plan, host.reporter)
    with record.stage("fitting"):
        fitted = fit_to_job(start, candidates, host.judged(), settings, plan, spool, host.reporter)
    with record.stage("scoring"):
        scored = _score(host, candidates, fitted.pruner, plan)
    if settings.figure_of_merit:
        scored = _with_merit(scored, settings.expected_good)
    rows = scored.rows
    share = settings.expected_good or particle_share(_inside(rows))
    rows = replace(rows, score=rows.score + log_odds(share))
    threshold = choose_threshold(_inside(rows), settings.keep_at)
    decisions = decide(rows, threshold, plan.min_distance_A)
    record.add(
        threshold={"score": threshold, "rule": settings.keep_at, "frozen": False},
        min_distance_A=plan.min_distance_A,
        expected_good=share,
        figure_of_merit={"rows": 0 if scored.word is None else int(scored.word.rows.sum())},
    )
    return _deliver(host, record, plan, settings, fitted, scored, decisions, threshold)


def run_verify(host: Host, settings: VerifySettings) -> PruneSummary:
    """Score every row by the mean and the spread over four rotations; no row is dropped.

    The scores are for even odds: whatever else is in the list does not change them. A row
    whose centre lies off its micrograph shows no particle, and has no score either, as one
    whose image cannot be read.
    """
    record = RunRecord("verify", host.name, settings.model_dump(mode="json"))
    host.begin()
    claim(host.spool, "verify")
    with record.stage("reading the inputs"):
        candidates = _candidates(host)
        models = JobModels(host.spool)
        pruner = host.pruner() or models.pruner(settings.pruner)
        record.add(shipped=models.used)
        same = PruneSettings(**settings.model_dump(), border=0.0)
        plan = plan_pruning(pruner, same, rotations=4)
        plan = settle_prune_contrast(groups_of(candidates), plan, host.reporter)
    with record.stage("scoring"):
        scored = _score(host, candidates, pruner, plan)
    rows = _without_those_off(scored.rows)
    every = replace(rows, score=np.nan_to_num(rows.score))
    judged = decide(every, -np.inf, 0.0)
    order = np.argsort(rows.row, kind="stable")
    unread = ~np.isfinite(rows.score[order])
    decisions = replace(
        judged,
        score=rows.score[order],
        probability=np.where(unread, np.nan, judged.probability),
    )
    scored = replace(scored, rows=rows)
    return _deliver(host, record, plan, same, Fitted(pruner), scored, decisions, -np.inf)


def _inside(rows: ScoredRows) -> NDArray[np.float64]:
    """Return the scores of the rows that were read and are not at an edge."""
    return rows.score[np.isfinite(rows.score) & ~rows.edge]


def _with_merit(scored: _Scored, share: float | None) -> _Scored:
    """Let the figures of merit of the rows' picker count; see `merit_word`."""
    rows = scored.rows
    # A box that the edge cuts says nothing of what a figure of merit is worth.
    inside = np.where(rows.edge, np.nan, rows.score)
    word = merit_word(inside, scored.candidates.merit, share)
    if word is None:
        return scored
    log.info(
        "the picker's figure of merit counts: of the rows with the lowest, %.3g, %.0f %% are taken "
        "for particles, of those with the highest, %.3g, %.0f %%",
        word.merit[0],
        100 * word.share[0],
        word.merit[-1],
        100 * word.share[-1],
    )
    return replace(scored, rows=replace(rows, score=rows.score + word.added), word=word)


def _without_those_off(rows: ScoredRows) -> ScoredRows:
    """Take the scores of rows whose centres lie off their micrographs: their boxes are halves."""
    off = rows.edge
    if off.any():
        log.warning("%d centres lie off their micrographs and have no score", off.sum())
    return replace(
        rows,
        score=np.where(off, np.nan, rows.score),
        spread=np.where(off, np.nan, rows.spread),
        edge=np.zeros(len(off), np.bool_),
    )


def groups_of(candidates: Candidates) -> list[Group]:
    """Return the groups that are scored one after the other; their boxes fit in memory."""
    found: list[Group] = [PickGroup(m, picks) for m, picks in candidates.picks if len(picks)]
    for stack in candidates.stacks:
        for start in range(0, len(stack), MOST_IN_GROUP):
            stop = min(len(stack), start + MOST_IN_GROUP)
            found.append(StackGroup(stack.keep(np.arange(start, stop))))
    return found


def _candidates(host: Host) -> Candidates:
    candidates = host.candidates()
    if candidates.rows == 0:
        raise InputError("no picks and no particles to look at; expected at least one row")
    count = sum(len(g) for g in groups_of(candidates))
    if count == 0:
        raise InputError(
            f"none of the {candidates.rows} rows has an image: no name of the table is that of a "
            "micrograph of this job; check --micrographs"
        )
    if count < candidates.rows:
        log.warning(
            "%d of %d rows belong to no micrograph of this job and are not looked at",
            candidates.rows - count,
            candidates.rows,
        )
    return candidates


def _score(host: Host, candidates: Candidates, pruner: Pruner, plan: PrunePlan) -> _Scored:
    """Return every row with its score."""
    groups = groups_of(candidates)
    store = PruneStore(host.spool / SPOOL / "scores", pruner.digest, plan.key())
    host.reporter.stage("scoring", sum(len(group) for group in groups))
    columns = _Columns(candidates.rows)
    failed: dict[str, str] = {}
    read = 0
    missing = []
    for group in groups:
        stored = store.get(group)
        if stored is None:
            missing.append(group)
            continue
        columns.put(stored)
        host.reporter.advance(len(group))
    if len(missing) < len(groups):
        log.info("%d of %d groups are scored already", len(groups) - len(missing), len(groups))
    scorer = BoxScorer(pruner, plan.device, plan.rotations)
    results = score_groups(scorer, missing, plan, host.reporter)
    for group, found in zip(missing, results, strict=True):
        if isinstance(found, GroupFailure):
            failed[found.name] = found.reason
            log.warning("%s: %s", found.name, found.reason)
        else:
            store.put(group, found)
            columns.put(found)
            read += 1
        host.reporter.advance(len(group))
    if failed and read == 0 and len(missing) == len(groups):
        name, reason = next(iter(failed.items()))
        raise InputError(f"no image could be read; the first: {name}: {reason}")
    return _Scored(candidates, columns.rows(), failed, columns.names)


class _Columns:
    """Gathers groups into one table by row."""

    def __init__(self, rows: int) -> None:
        self._score = np.full(rows, np.nan)
        self._spread = np.full(rows, np.nan)
        self._likely = np.zeros(rows, np.int8)
        self._group = np.full(rows, -1, np.int64)
        self._x, self._y = np.full(rows, np.nan), np.full(rows, np.nan)
        self._edge = np.zeros(rows, np.bool_)
        self._numbers: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """Names of micrographs, in the order of their numbers."""
        return list(self._numbers)

    def put(self, found: GroupScores) -> None:
        """Write the rows of a group."""
        at = found.row
        self._score[at], self._spread[at] = found.scores.score, found.scores.spread
        self._likely[at], self._edge[at] = found.scores.likely, found.edge
        self._x[at], self._y[at] = found.x_A, found.y_A
        names, inverse = np.unique(found.micrograph_id, return_inverse=True)
        numbers = [self._numbers.setdefault(n, len(self._numbers)) if n else -1 for n in names]
        self._group[at] = np.array(numbers, np.int64)[inverse]

    def rows(self) -> ScoredRows:
        """Return the table."""
        return ScoredRows(
            row=np.arange(len(self._score)),
            score=self._score,
            spread=self._spread,
            likely=self._likely,
            group=self._group,
            x_A=self._x,
            y_A=self._y,
            edge=self._edge,
        )


def _deliver(
    host: Host,
    record: RunRecord,
    plan: PrunePlan,
    settings: PruneSettings,
    fitted: Fitted,
    scored: _Scored,
    decisions: Decisions,
    threshold: float,
) -> PruneSummary:
    failed = dict(scored.failed)
    counts = decisions.counts()
    log.info("%s", ", ".join(f"{name}: {count}" for name, count in counts.items()))
    with record.stage("pictures"):
        plots = prune_figures(
            groups_of(scored.candidates),
            decisions,
            plan,
            threshold,
            fitted,
            _by_group(scored.rows, decisions),
            scored.word,
        )
    figures = [(plot.name, plot.png, plot.caption) for plot in plots]
    for figure in figures:
        host.reporter.figure(*figure)
    record.add(
        model={"digest": fitted.pruner.digest, "name": settings.pruner},
        seed=settings.seed,
        device=str(plan.device),
        threads=plan.threads,
        diameter_A=plan.geometry.diameter_A,
        counts={"rows": len(decisions), "micrographs": len(scored.names), **counts},
        labels=dict(fitted.summary),
        failed=failed,
    )
    told = record.finished()
    host.deliver(
        Delivery(
            failed=failed,
            record=told,
            figures=figures,
            decisions=decisions,
            pruner=fitted.pruner,
        )
    )
    return PruneSummary(decisions, fitted.pruner, threshold, failed, told)


def _by_group(rows: ScoredRows, decisions: Decisions) -> NDArray[np.int64]:
    """Return how many rows each micrograph keeps; empty where no row names its micrograph."""
    order = np.argsort(rows.row, kind="stable")
    group = rows.group[order]
    if not (group >= 0).any():
        return np.zeros(0, np.int64)
    kept = group[decisions.keep & (group >= 0)]
    return np.bincount(kept, minlength=int(group.max()) + 1).astype(np.int64)
