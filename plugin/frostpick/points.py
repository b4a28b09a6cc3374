"""Points of one micrograph: which are near, which comes first, which belongs to which.

Any unit and any order of the two coordinates, as long as it is the same for all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


def nearest_distance(points: ArrayLike, others: ArrayLike) -> Floats:
    """Return the distance ``(n,)`` of each of ``(n, 2)`` points to the nearest other.

    Infinite where there is no other.
    """
    places, known = (np.reshape(np.asarray(p, np.float64), (-1, 2)) for p in (points, others))
    if not len(known):
        return np.full(len(places), np.inf)
    return np.asarray(cKDTree(known).query(places)[0])


def first_within(points: Floats, distance: float, slack: float = 0.0) -> Mask:
    """Return which of ``(n, 2)`` points stay, the first first: those nearer to one are dropped.

    Greedy in the order of the points: one that is dropped drops none. Exactly ``distance``
    apart both stay, and so they do where they are nearer by no more than the part ``slack`` of
    it. Nothing is dropped with a distance of 0 or less.

    Points are looked up by cells of that size, so that only neighbours are compared, and what
    is kept is sparse: points all at one place cost no more than others.
    """
    stay = np.ones(len(points), np.bool_)
    if len(points) < 2 or distance <= 0:
        return stay
    distance = distance * (1 - slack)
    kept: dict[tuple[int, int], list[tuple[float, float]]] = {}
    cells = np.floor(points / distance).astype(np.int64).tolist()
    for number, ((cx, cy), (x, y)) in enumerate(zip(cells, points.tolist(), strict=True)):
        near = [
            other
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for other in kept.get((cx + dx, cy + dy), ())
        ]
        if any((ox - x) ** 2 + (oy - y) ** 2 < distance**2 for ox, oy in near):
            stay[number] = False
        else:
            kept.setdefault((cx, cy), []).append((x, y))
    return stay


def pairs_within(points: Floats, others: Floats, reach: float) -> tuple[Index, Index, Floats]:
    """Return all pairs of a point and another that lie within a reach, exactly it included.

    Returns
    -------
    point, other : ndarray
        ``(m,)`` int64 indices of the pairs, in no order.
    apart : ndarray
        ``(m, 2)`` float64, from the point to the other.
    """
    if not len(points) or not len(others):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2))
    # The tree's reach is a little generous: the distance itself decides at the limit.
    near = cKDTree(points).sparse_distance_matrix(
        cKDTree(others), reach * (1 + 1e-9), output_type="ndarray"
    )
    point, other = near["i"].astype(np.int64), near["j"].astype(np.int64)
    apart = others[other] - points[point]
    good = np.hypot(*apart.T) <= reach
    return point[good], other[good], apart[good]


def greedy_match(pick: Index, truth: Index, quality: Floats, rank: Index, n_truth: int) -> Index:
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
