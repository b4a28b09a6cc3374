"""Pictures of a finished pruning job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from frostpick.errors import MicrographError
from frostpick.pruning.decide import ScoredRows
from frostpick.pruning.fit import Fitted
from frostpick.pruning.groups import Group
from frostpick.pruning.judge import Judgement
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prune import Told, prepare_group
from frostpick.report.boxes import box_mosaic
from frostpick.report.counts import picks_per_micrograph
from frostpick.report.figure import Figure
from frostpick.report.pruning import decisions_by_reason, held_out_curves, worth_of_merit
from frostpick.report.scores import kept_histogram
from frostpick.report.verified import verified_rows
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.types import REASONS, Decisions
from frostpick_jobs.tasks.prune.pictured import rows_on_micrograph

#: Boxes in a mosaic.
SHOWN = 36
#: Boxes in a row, wide enough for the longest reason.
COLUMNS = 6
#: Groups that boxes of mosaics are read from; reading costs more than drawing.
MOST_GROUPS = 24


def prune_figures(
    groups: Sequence[Group],
    plan: PrunePlan,
    fitted: Fitted,
    rows: ScoredRows,
    judged: Judgement,
    names: Sequence[str],
    title: Callable[[str], str],
) -> list[Figure]:
    """Draw scores, counts by reason and by micrograph, held-out curves, a micrograph, mosaics.

    And what the figures of merit of the input's picker are worth, where they count.

    Parameters
    ----------
    names
        Micrographs by their numbers in ``rows.group``.
    title
        What a micrograph is called, by its id.
    """
    decisions, word = judged.decisions, judged.word
    pruned = bool(np.isfinite(judged.threshold))
    if not pruned:
        plots = [verified_rows(decisions.score, decisions.spread)]
    else:
        plots = [kept_histogram(decisions.score, judged.threshold, decisions.keep)]
        plots.append(decisions_by_reason(decisions.counts()))
    if len(fitted.good):
        # Labels are scored for even odds, the threshold is for this job's share.
        plots.append(held_out_curves(fitted.held_out, fitted.good, 0.0))
    if word is not None:
        plots.append(worth_of_merit(word.merit, word.share, word.rows, len(decisions)))
    kept = _kept_by_micrograph(rows, decisions)
    if pruned and len(kept):
        plots.append(picks_per_micrograph(kept))
    plots += rows_on_micrograph(groups, names, rows, decisions, plan, pruned, title)
    return plots + _mosaics(groups, decisions, plan, pruned)


def _kept_by_micrograph(rows: ScoredRows, decisions: Decisions) -> NDArray[np.int64]:
    """Return how many rows each micrograph keeps; empty where no row names its micrograph."""
    order = np.argsort(rows.row, kind="stable")
    group = rows.group[order]
    if not (group >= 0).any():
        return np.zeros(0, np.int64)
    kept = group[decisions.keep & (group >= 0)]
    return np.bincount(kept, minlength=int(group.max()) + 1).astype(np.int64)


def _mosaics(
    groups: Sequence[Group], decisions: Decisions, plan: PrunePlan, pruned: bool
) -> list[Figure]:
    # not `evenly_spread`, whose groups would be others, and the pictures with them
    step = max(1, -(-len(groups) // MOST_GROUPS))
    chosen = groups[::step]
    reachable = np.zeros(len(decisions), np.bool_)
    for group in chosen:
        reachable[group.row] = True
    reachable &= np.isfinite(decisions.score)
    plots = []
    for name, kind, words in (
        ("boxes_kept", decisions.keep, "kept" if pruned else "looked at"),
        ("boxes_rejected", ~decisions.keep, "rejected"),
    ):
        rows = np.flatnonzero(kind & reachable)
        rows = rows[np.argsort(-decisions.score[rows], kind="stable")]
        rows = rows[evenly_spread(range(len(rows)), SHOWN, "ends")]
        if not len(rows):
            continue
        boxes = _boxes(chosen, rows, plan)
        shown = [row for row in rows.tolist() if row in boxes]
        captions = [_caption(decisions, row) for row in shown]
        plots.append(
            box_mosaic(
                [boxes[row] for row in shown],
                captions,
                name=name,
                caption=f"Boxes {words}, the best score first and the worst last: low-passed to "
                "an eighth of the diameter, particles dark, each with its own grey scale.",
                columns=COLUMNS,
            )
        )
    return plots


def _boxes(
    groups: Sequence[Group], rows: NDArray[np.int64], plan: PrunePlan
) -> Mapping[int, NDArray[np.float32]]:
    """Return low-passed working boxes of some rows."""
    found = {}
    sigma = plan.geometry.px_per_diameter / 16
    for group in groups:
        at = np.flatnonzero(np.isin(group.row, rows))
        if not len(at):
            continue
        part = group.keep(at)
        try:
            told = Told(plan, quiet=True)
            boxes = prepare_group(part, replace(plan, border=0.0), told).boxes.data.numpy()
        except MicrographError:
            continue
        for row, box in zip(part.row.tolist(), boxes, strict=True):
            # noise hides the particle from the eye
            found[row] = gaussian_filter(box, sigma, mode="nearest")
    return found


def _caption(decisions: Decisions, row: int) -> str:
    reason = REASONS[int(decisions.reason[row])]
    return f"{decisions.score[row]:.1f}\n{reason}".strip()
