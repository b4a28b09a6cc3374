"""What a finished pruning contradicts of itself: told, so that nobody trusts it unseen."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import Wording, option
from frostpick.points import nearest_distance
from frostpick.pruning.decide import ScoredRows
from frostpick.pruning.groups import Group, StackGroup
from frostpick.pruning.judge import Judgement
from frostpick.pruning.reliable_negatives import Known
from frostpick.types import REASONS

log = logging.getLogger(__name__)

#: Rows nearer than this many diameters to a good label are that label.
SAME = 0.1
#: Fewest good labels among the rows, and the share of them that must be kept.
FEWEST, KEPT = 5, 0.5
#: Share of particles that the kept rows must be expected to have.
PARTICLES = 0.5


def warn_of_doubts(judged: Judgement, labelled: NDArray[np.bool_]) -> None:
    """Tell where kept rows are not expected to be particles, or good labels were rejected.

    Parameters
    ----------
    labelled
        ``(n,)`` bool: which of the rows are good labels, see `rows_labelled`.
    """
    decisions = judged.decisions
    kept = decisions.keep
    if kept.any() and decisions.probability[kept].mean() < PARTICLES:
        log.warning(
            "kept rows: %.0f of %d are expected to be particles (%.0f %%; scores from %.2f): the "
            "pruner does not know this particle, or what it was given misleads it; look at the "
            "pictures, check diameter and contrast, give labels, or a threshold with %s",
            decisions.probability[kept].sum(),
            kept.sum(),
            100 * decisions.probability[kept].mean(),
            decisions.score[kept].min(),
            Wording(option("threshold")),
        )
    asked = labelled & np.isin(decisions.reason, _JUDGED)
    lost = int((asked & ~kept).sum())
    if asked.sum() >= FEWEST and lost > (1 - KEPT) * asked.sum():
        log.warning(
            "good examples: %d of the %d among the rows are rejected: what was learned contradicts "
            "them, and other particles are lost as well",
            lost,
            asked.sum(),
        )


#: Reasons that judge a row by its image; a duplicate or an edge says nothing of it.
_JUDGED = [n for n, name in enumerate(REASONS) if name not in ("edge", "duplicate", "not read")]


def rows_labelled(
    known: Known | None, groups: Sequence[Group], rows: ScoredRows, diameter_A: float
) -> NDArray[np.bool_]:
    """Return ``(n,)``, by row, which of a job's rows are good labels."""
    found = np.zeros(len(rows.row), np.bool_)
    if known is None:
        return found
    for group in groups:
        if isinstance(group, StackGroup):
            at = [(group.name, index) in known.images for index in group.stack.index.tolist()]
            found[group.row] = at
            continue
        xy = np.column_stack([rows.x_A[group.row], rows.y_A[group.row]])
        places = known.places.get(group.micrograph.id, ())
        read = np.isfinite(xy).all(1)
        found[group.row[read]] = nearest_distance(xy[read], places) < SAME * diameter_A
    return found
