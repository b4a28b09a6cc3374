"""Candidates that look alike: which of their groups are one thing seen many times.

A particle seen many times from one side differs from copy to copy by the noise alone. What is
dark by chance, or dirt, ice and aggregates, is each time another thing. So the candidates are
grouped by their looks, and a group's spread is measured in units of what noise makes of the same
numbers.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from frostpick.repeated.candidates import Candidates
from frostpick.training.view_features import noise_axes

Floats = NDArray[np.float64]

#: Share of candidates of random phases among those that are taken as no noise, and the heights
#: that are tried for it.
FALSE_SHARE, HEIGHTS = 0.1, tuple(np.arange(2.5, 6.01, 0.25).tolist())
#: Fewest candidates above noise that are grouped, groups, principal axes, and starts of k-means.
FEWEST, GROUPS, AXES, STARTS = 60, 6, 8, 5
#: Groups whose middles are so near, in deviations of noise, are one.
NEAR = 0.65
#: Smallest kind, fewest micrographs that it is on, and largest share of it on one of them.
SMALLEST, ON_FEWEST, ON_ONE = 30, 3, 0.5
#: Largest spread of a kind: the median of the squared distance from its middle, over that of
#: noise. Groups of true particles had .42 to 1.04, of dirt and aggregates 1.2 to 5.
SPREAD = 1.1
#: Least distance of a kind's middle from noise, in its deviations. Groups on crystalline and
#: on empty ice had .51 to .58; those of true particles that no model picked .67 to 1.7.
STRENGTH = 0.65
#: Smallest multiple of the candidates of random phases that fall among a kind.
OF_NOISE = 5.0
#: A kind of which a smaller share is picked is mostly not picked.
HALF = 0.5


@dataclass(frozen=True)
class Group:
    """Candidates that look alike.

    Parameters
    ----------
    members
        ``(n,)`` int64, which of the candidates, the most typical first.
    of_noise
        Expected members if all were noise of the same spectrum.
    away
        ``(n,)`` each member's squared distance from the middle, over that of noise.
    spread, strength
        See `SPREAD` and `STRENGTH`.
    """

    members: NDArray[np.int64]
    away: Floats
    of_noise: float
    spread: float
    strength: float


def above_noise(found: Candidates, noise: Candidates) -> float | None:
    """Return the least height above which few candidates are noise; None where there is none.

    Parameters
    ----------
    noise
        Of as many images with random phases.
    """
    for height in HEIGHTS:
        if (noise.height > height).sum() <= FALSE_SHARE * (found.height > height).sum():
            return float(height)
    return None


def repeated_groups(
    found: Candidates, noise: Candidates, picked: NDArray[np.bool_], seed: int = 0
) -> list[Group]:
    """Return the groups that are one thing seen many times, the largest first.

    Parameters
    ----------
    found, noise
        Candidates of some images, and of as many with their spectra and random phases.
    picked
        ``(n,)`` which of those found are picked: a look that is mostly picked and one that is not
        stay apart.
    """
    height = above_noise(found, noise)
    if height is None or len(noise) <= 2:
        return []
    chosen = np.flatnonzero(found.height > height)
    if len(chosen) < FEWEST:
        return []
    looks = found.looks[chosen].astype(np.float64)
    chance = noise.looks[noise.height > height].astype(np.float64)
    middle, deviation = noise.looks.mean(0), noise.looks.std(0) + 1e-12
    scaled = (looks - middle) / deviation
    _, _, axes = np.linalg.svd(scaled - scaled.mean(0), full_matrices=False)
    axes = axes[:AXES]
    centres, group = _k_means(scaled @ axes.T, seed)
    by_chance = _nearest((chance - middle) / deviation @ axes.T, centres)
    white = (looks - middle) @ _whitening(noise.looks)
    names = _joined(white, group, picked[chosen])
    group, by_chance = names[group], names[by_chance]
    groups = []
    for k in np.unique(group).tolist():
        own = group == k
        spread, strength, away = _measured(white[own])
        order = np.argsort(away, kind="stable")
        members = chosen[own][order]
        one = Group(members, away[order], float((by_chance == k).sum()), spread, strength)
        if _is_kind(one, found.image[members]):
            groups.append(one)
    return sorted(groups, key=lambda one: -len(one.members))


def _is_kind(one: Group, image: NDArray[np.int64]) -> bool:
    """Tell whether a group is one thing seen many times, in many places."""
    on = np.unique(image, return_counts=True)[1]
    return (
        len(image) >= max(SMALLEST, OF_NOISE * one.of_noise)
        and len(on) >= ON_FEWEST
        and on.max() < ON_ONE * len(image)
        and _alike(one.spread, one.strength)
    )


def _alike(spread: float, strength: float) -> bool:
    """Tell whether looks differ from each other no more than by noise, and from noise well."""
    return spread <= SPREAD and strength >= STRENGTH


def _measured(white: Floats) -> tuple[float, float, Floats]:
    """Return spread and strength of looks ``(n, d)`` in units of noise, and each one's spread."""
    away: Floats = ((white - np.median(white, axis=0)) ** 2).mean(1)
    return float(np.median(away)), float(np.sqrt((white.mean(0) ** 2).mean())), away


def _joined(
    white: Floats, group: NDArray[np.int64], picked: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return what each group is called when those that are alike are joined while they are near.

    A group whose members are not alike stays as it is: joined, it would hide one that are.

    Parameters
    ----------
    white
        ``(n, d)`` looks in units of noise.
    group
        ``(n,)`` 0 to `GROUPS` - 1.
    picked
        ``(n,)``.
    """
    names = np.arange(GROUPS, dtype=np.int64)
    while True:
        groups = {k: white[names[group] == k] for k in np.unique(names[group]).tolist()}
        good = [k for k, one in groups.items() if _alike(*_measured(one)[:2])]
        if len(good) < 2:
            return names
        middles = np.stack([np.median(groups[k], axis=0) for k in good])
        apart = np.sqrt(((middles[:, None] - middles[None]) ** 2).mean(2))
        np.fill_diagonal(apart, np.inf)
        mostly = np.array([picked[names[group] == k].mean() >= HALF for k in good])
        apart[mostly[:, None] != mostly] = np.inf
        if apart.min() > NEAR:
            return names
        a, b = np.unravel_index(int(apart.argmin()), apart.shape)
        names[names == good[int(b)]] = good[int(a)]


def _whitening(noise: NDArray[np.float32]) -> Floats:
    """Return the matrix after which noise has unit covariance."""
    vectors, deviation = noise_axes(noise)
    white: Floats = vectors / deviation @ vectors.T
    return white


def _k_means(x: Floats, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the centres and groups of the best of a few starts."""
    best, least = (x[:1], np.zeros(len(x), np.int64)), np.inf
    for start in range(STARTS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty group is no error
            centres, group = kmeans2(x, GROUPS, minit="++", seed=seed + start)
        cost = float(((x - centres[group]) ** 2).sum())
        if cost < least:
            best, least = (centres, group.astype(np.int64)), cost
    return best


def _nearest(x: Floats, centres: Floats) -> NDArray[np.int64]:
    """Return the nearest centre of each row."""
    away = ((x[:, None, :] - centres[None]) ** 2).sum(2)
    return np.asarray(away.argmin(1), np.int64)
