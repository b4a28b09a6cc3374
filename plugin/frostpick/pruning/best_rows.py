"""Which rows are kept where the rule asks for a number of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, counted
from frostpick.picking.counted import counted_cuts, least_of
from frostpick.pruning.decide import ScoredRows
from frostpick.settings import Threshold


def best_rows(
    rows: ScoredRows, among: NDArray[np.bool_], rule: Threshold
) -> tuple[NDArray[np.bool_], float]:
    """Return which rows ``fraction=F`` or ``per-micrograph=N`` does not reject.

    Counted are the rows that any threshold could keep. Of equal scores the first ones are
    kept: by micrograph, then by position, then by row.

    Parameters
    ----------
    among
        ``(n,)`` bool: rows that were read, are not at an edge and are no duplicates.

    Returns
    -------
    above
        ``(n,)`` bool. Of the other rows those with a better score than the least that is kept
        on their micrograph are in it, too: they are rejected for their own reason.
    least
        The least score that is kept.

    Raises
    ------
    InputError
        So many rows of each micrograph are asked for, and the micrograph of some is not known.
    """
    each = rule.kind == "per-micrograph"
    lost = int((among & (rows.group < 0)).sum())
    if each and lost:
        raise InputError(
            f"threshold {rule.text}: the micrograph of {counted(lost, 'row')} is not known; give "
            "fraction=PART, or particles that name their micrographs"
        )
    order = np.lexsort((rows.row, rows.x_A, rows.y_A, -rows.score, rows.group))
    order = order[among[order]]
    begins = np.flatnonzero(np.diff(rows.group[order])) + 1
    parts = np.split(order, begins) if len(order) else []
    scores = [rows.score[at] for at in parts]
    cuts = counted_cuts(scores, rule)
    above = np.zeros(len(rows.row), np.bool_)
    names, number = np.unique(rows.group, return_inverse=True)
    least = np.full(len(names), np.inf)
    for at, score, cut in zip(parts, scores, cuts, strict=True):
        above[at] = cut.selects(score)
        least[number[at[0]]] = cut.score
    above |= ~among & (rows.score > least[number])
    return above, least_of(cuts, scores)
