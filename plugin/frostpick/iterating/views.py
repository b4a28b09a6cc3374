"""Whether the views that are picked change from round to round.

A picker that learns from its own picks may come to pick what it picked first and forget
rare views. The picks of all rounds are put into a few groups by how they look; the share
of each group should stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.vq import kmeans2

Floats = NDArray[np.float64]
GROUPS = 6
#: Principal components that the groups are made in.
COMPONENTS = 6
#: Most picks of a round that the groups are made from.
MOST = 4000


def view_shares(features: Sequence[ArrayLike], seed: int, groups: int = GROUPS) -> Floats:
    """Return the share of each group of views in each round.

    Parameters
    ----------
    features
        ``(n, f)`` of each round's picks, from `view_features`.
    seed
        Of the clustering.
    groups
        How many groups; fewer where there are few picks.

    Returns
    -------
    ndarray
        ``(rounds, groups)``, rows sum to 1 (0 for a round without picks); the groups in the
        order of their shares over all rounds.
    """
    rounds = [np.asarray(one, np.float64) for one in features]
    rng = np.random.default_rng((seed, 31))
    some = [one[rng.permutation(len(one))[:MOST]] for one in rounds if len(one)]
    if not some:
        return np.zeros((len(rounds), 1))
    pool = np.concatenate(some)
    centre, basis = _principal(pool)
    groups = max(1, min(groups, len(pool) // 20))
    means, _ = kmeans2((pool - centre) @ basis, groups, seed=rng, minit="++", iter=50)
    shares = np.zeros((len(rounds), groups))
    for k, one in enumerate(rounds):
        if len(one):
            shares[k] = np.bincount(_nearest((one - centre) @ basis, means), minlength=groups)
            shares[k] /= len(one)
    return shares[:, np.argsort(-shares.sum(0), kind="stable")]


def divergence(first: ArrayLike, second: ArrayLike) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits, 0 (equal) to 1."""
    p, q = np.asarray(first, np.float64), np.asarray(second, np.float64)
    middle = (p + q) / 2

    def relative(a: Floats) -> float:
        on = a > 0
        return float((a[on] * np.log2(a[on] / middle[on])).sum())

    return (relative(p) + relative(q)) / 2


def _principal(pool: Floats) -> tuple[Floats, Floats]:
    """Return the mean and the leading principal axes, ``(f, c)``; grey levels stay to scale."""
    centre = pool.mean(0)
    _, _, axes = np.linalg.svd(pool - centre, full_matrices=False)
    return centre, axes[:COMPONENTS].T


def _nearest(points: Floats, means: Floats) -> NDArray[np.int64]:
    distance = ((points[:, None, :] - means[None, :, :]) ** 2).sum(2)
    nearest: NDArray[np.int64] = distance.argmin(1).astype(np.int64)
    return nearest
