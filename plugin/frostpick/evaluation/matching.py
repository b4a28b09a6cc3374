"""Which pick is which particle: one to one, the better pick first, the nearest particle free."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Float = NDArray[np.float64]
Index = NDArray[np.int64]

#: ``quarter``, ``half``: centres at most that part of the diameter apart;
#: ``iou50``: squares of the diameter's side overlap with IoU of at least 0.5.
Rule = Literal["quarter", "half", "iou50"]
RULES: tuple[str, ...] = get_args(Rule)

_REACH = {"quarter": 0.25, "half": 0.5, "iou50": 1 / 3}


def match_quality(dx: Float, dy: Float, diameter_px: float, rule: Rule) -> Float:
    """Return how well pick and particle agree, ``(m,)``; a match is a value of 0 or more.

    Pixels to spare for the two distance rules, IoU to spare for ``iou50``.
    """
    if rule == "iou50":
        overlap = np.clip(diameter_px - np.abs(dx), 0, None) * np.clip(
            diameter_px - np.abs(dy), 0, None
        )
        return np.asarray(overlap / (2 * diameter_px * diameter_px - overlap) - 0.5)
    return np.asarray(_REACH[rule] * diameter_px - np.hypot(dx, dy))


def candidate_pairs(
    pick_yx: Float, truth_yx: Float, diameter_px: float, rule: Rule
) -> tuple[Index, Index, Float]:
    """Return all pairs of one micrograph that may match.

    Parameters
    ----------
    pick_yx, truth_yx
        ``(n, 2)`` and ``(t, 2)`` positions in pixels.
    diameter_px, rule
        Particle diameter in pixels and the rule of matching.

    Returns
    -------
    pick, truth : ndarray
        ``(m,)`` int64 indices of the pairs.
    quality : ndarray
        ``(m,)`` float64, see `match_quality`, none below 0.
    """
    if not len(pick_yx) or not len(truth_yx):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    # The reach is a little generous: the rule itself decides on pairs at the limit.
    near = cKDTree(pick_yx).sparse_distance_matrix(
        cKDTree(truth_yx), _REACH[rule] * diameter_px * (1 + 1e-9), output_type="ndarray"
    )
    pick, truth = near["i"].astype(np.int64), near["j"].astype(np.int64)
    dy, dx = (truth_yx[truth] - pick_yx[pick]).T
    quality = match_quality(dx, dy, diameter_px, rule)
    good = quality >= 0
    return pick[good], truth[good], quality[good]


def greedy_match(pick: Index, truth: Index, quality: Float, rank: Index, n_truth: int) -> Index:
    """Give every pick, in the order of rank, its best particle that is still free.

    Parameters
    ----------
    pick, truth, quality
        ``(m,)`` candidate pairs; equal qualities go to the lower truth index.
    rank
        ``(n,)`` int64 distinct, 0 for the pick that chooses first.
    n_truth
        Number of particles.

    Returns
    -------
    ndarray
        ``(n,)`` int64, the particle of each pick, -1 for none.

    Notes
    -----
    Since all particles prefer the same (better ranked) picks, the outcome is the only
    stable matching, which deferred acceptance (Gale and Shapley 1962) finds in a few
    rounds over whole arrays: free picks ask for their next particle, a particle keeps
    the best rank that has asked.
    """
    n = len(rank)
    order = np.lexsort((truth, -quality, pick))
    wanted = truth[order]
    end = np.cumsum(np.bincount(pick, minlength=n))
    at = np.concatenate([[0], end[:-1]]) if n else end
    by_rank = np.empty(n, np.int64)
    by_rank[rank] = np.arange(n)
    holder = np.full(n_truth, n, np.int64)  # rank of the pick a particle keeps; n for none
    asking = np.flatnonzero(at < end)
    while len(asking):
        asked = wanted[at[asking]]
        at[asking] += 1
        before = holder[asked]
        np.minimum.at(holder, asked, rank[asking])
        dropped = before[(before < n) & (before != holder[asked])]
        refused = asking[holder[asked] != rank[asking]]
        asking = np.union1d(refused, by_rank[dropped])
        asking = asking[at[asking] < end[asking]]
    matched = np.full(n, -1, np.int64)
    held = np.flatnonzero(holder < n)
    matched[by_rank[holder[held]]] = held
    return matched
