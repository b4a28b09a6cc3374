"""Which selected picks of one micrograph are right: the four groups that a picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.evaluation.matching import candidate_pairs
from frostpick.evaluation.truth import border_distance
from frostpick.points import greedy_match

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """Positions ``(n, 2)``, column and row: picks found, false, not counted; particles missed."""

    found: Floats
    false: Floats
    ignored: Floats
    missed: Floats


def compare(
    xy: Floats,
    score: Floats,
    truth_xy: ArrayLike,
    truth_ignored: ArrayLike | None,
    diameter_px: float,
    shape: tuple[float, float],
) -> Outcome:
    """Match picks to particles within a quarter of the diameter, as `frostpick.evaluation` does.

    Parameters
    ----------
    xy, score
        ``(n, 2)`` and ``(n,)``, the selected picks.
    truth_xy, truth_ignored
        ``(m, 2)`` and ``(m,)`` bool; None: all count, and so do picks near the border.
    diameter_px
        Diameter of the particle.
    shape
        Rows and columns of the micrograph.
    """
    truth = np.asarray(truth_xy, np.float64).reshape(-1, 2)
    unseen = np.zeros(len(truth), bool)
    near = np.zeros(len(xy), bool)
    if truth_ignored is not None:
        unseen = np.asarray(truth_ignored, bool).ravel()
        rows, columns = round(shape[0]), round(shape[1])
        near = border_distance(xy[:, 0], xy[:, 1], (rows, columns)) < diameter_px / 2
    rank = np.empty(len(xy), np.int64)
    rank[np.argsort(-score, kind="stable")] = np.arange(len(xy))
    pairs = candidate_pairs(xy[:, ::-1], truth[:, ::-1], diameter_px, "quarter")
    matched = greedy_match(*pairs, rank, len(truth))
    hit = matched >= 0
    neutral = ~hit & near
    neutral[hit] = unseen[matched[hit]]
    missed = ~unseen
    missed[matched[hit]] = False
    return Outcome(xy[hit & ~neutral], xy[~hit & ~neutral], xy[neutral], truth[missed])
