"""From scores to decisions: every row kept, or rejected for one reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.threshold import Cut
from frostpick.points import first_within
from frostpick.types import REASONS, Decisions, sigmoid


@dataclass(frozen=True)
class ScoredRows:
    """Every row of a job with all that its decision depends on, one array a column.

    Parameters
    ----------
    row
        ``(n,)`` int64, row in the host's table; any order, each once.
    score, spread
        ``(n,)`` float64; a NaN score is a row whose image could not be read.
    likely
        ``(n,)`` int8, index into `REASONS`: why, if the score is below 0 and too low.
    group
        ``(n,)`` int64, number of the micrograph; -1 where it is not known.
    x_A, y_A
        ``(n,)`` float64 position on the micrograph in Angstrom; NaN where not known.
    edge
        ``(n,)`` bool, too near to the edge of its micrograph.
    """

    row: NDArray[np.int64]
    score: NDArray[np.float64]
    spread: NDArray[np.float64]
    likely: NDArray[np.int8]
    group: NDArray[np.int64]
    x_A: NDArray[np.float64]
    y_A: NDArray[np.float64]
    edge: NDArray[np.bool_]


def decide(
    rows: ScoredRows,
    threshold: float,
    min_distance_A: float,
    above: NDArray[np.bool_] | None = None,
) -> Decisions:
    """Keep or reject every row.

    In this order: a row that was not read; one at the edge; one below the threshold, for
    what it looks like (`frostpick.pruning.reasons`), or as a low score where that is not clear
    or it rather looks like a particle; one nearer than ``min_distance_A`` to a better one that
    is kept.

    Parameters
    ----------
    above
        ``(n,)`` bool, which rows a rule that counts rows does not reject
        (`frostpick.pruning.best_rows`). None: those at or above the threshold.
    """
    n = len(rows.row)
    reason = np.zeros(n, np.int8)
    unread = ~np.isfinite(rows.score)
    low = ~unread & ~(Cut(threshold).selects(rows.score) if above is None else above)
    reason[low] = np.where(rows.score >= 0, REASONS.index("low score"), rows.likely)[low]
    reason[rows.edge] = REASONS.index("edge")
    reason[unread] = REASONS.index("not read")
    again = duplicates(rows, reason == 0, min_distance_A)
    reason[again] = REASONS.index("duplicate")
    order = np.argsort(rows.row, kind="stable")
    score = rows.score[order]
    return Decisions(
        row=rows.row[order],
        keep=reason[order] == 0,
        score=score,
        probability=np.where(np.isfinite(score), sigmoid(np.nan_to_num(score)), np.nan),
        spread=rows.spread[order],
        reason=reason[order],
    )


def duplicates(
    rows: ScoredRows, among: NDArray[np.bool_], min_distance_A: float
) -> NDArray[np.bool_]:
    """Return which rows lie nearer than a distance to a better one that stays.

    Greedy by falling score within each micrograph; equal scores by row. Rows without a
    micrograph or a position have no duplicates.
    """
    found = np.zeros(len(rows.row), np.bool_)
    placed = among & (rows.group >= 0) & np.isfinite(rows.x_A) & np.isfinite(rows.y_A)
    order = np.flatnonzero(placed)
    if min_distance_A <= 0 or not len(order):
        return found
    order = order[np.lexsort((rows.row[order], -rows.score[order], rows.group[order]))]
    begins = np.flatnonzero(np.diff(rows.group[order], prepend=-1))
    for start, stop in zip(begins, [*begins[1:], len(order)], strict=True):
        at = order[start:stop]
        stay = first_within(np.column_stack([rows.x_A[at], rows.y_A[at]]), min_distance_A)
        found[at[~stay]] = True
    return found
