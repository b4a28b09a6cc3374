"""Bodies brought together until their beads touch; no radius is chosen by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from unseen.beads import Body

Float = NDArray[np.float64]

#: Beads of touching parts are so far apart in Angstrom: a little more than beads of one part.
CONTACT_A = 5.0
#: Side chains give way: one pair of beads in so many of a body may come nearer than that.
GIVES_WAY = 25
#: Orientations that are tried for a part.
TRIES = 40


def first_contact(fixed: Body, moving: Body, direction: Float) -> float:
    """Return how far along ``direction`` the moving body is when it first touches from afar.

    Two beads ``a`` (fixed) and ``b`` are ``CONTACT_A`` apart at ``t = s + sqrt(CONTACT_A^2 -
    p^2)``, ``s`` and ``p`` being the parts of ``a - b`` along and across the unit direction;
    coming from infinity the greatest ``t`` of all pairs is met first. In bodies of many beads
    the first few pairs, one in `GIVES_WAY` beads of the moving body, give way. ``-inf`` where
    the bodies pass each other by.
    """
    d = direction / np.linalg.norm(direction)
    across = np.linalg.svd(d[None])[2][1:]
    trees = [cKDTree(body.xyz @ across.T) for body in (fixed, moving)]
    pairs = trees[0].sparse_distance_matrix(trees[1], CONTACT_A, output_type="coo_matrix")
    if pairs.nnz == 0:
        return -np.inf
    along = (fixed.xyz @ d)[pairs.row] - (moving.xyz @ d)[pairs.col]
    met = np.sort(along + np.sqrt(np.maximum(CONTACT_A**2 - pairs.data**2, 0.0)))
    return float(met[-min(1 + len(moving) // GIVES_WAY, len(met))])


def attached(fixed: Body, moving: Body, direction: Float) -> Body:
    """Return the moving body, its centre on a ray from the origin, where it touches."""
    return slid(fixed, moving.centred, direction)


def surrounded(unit: Body, group: Rotation, direction: Float, inside: Body | None = None) -> Body:
    """Return the copies of a unit under a point group, as near to the origin as they can be.

    A unit at ``R u`` and its copy under ``G`` are ``R |G u - u|`` apart along ``G u - u``, so
    each element of the group gives the least ``R``, and the greatest of them holds.

    Parameters
    ----------
    inside
        A body at the origin that the copies must not run into.
    """
    u = np.asarray(direction, float) / np.linalg.norm(direction)
    body, least = unit.centred, 0.0
    for g in group:
        apart = g.apply(u) - u
        length = float(np.linalg.norm(apart))
        if length > 1e-9:
            least = max(least, first_contact(body, body.turned(g), apart) / length)
    if inside is not None:
        least = max(least, first_contact(inside, body, u))
    placed = body.moved(least * u)
    return copies(placed, group)


def copies(body: Body, group: Rotation) -> Body:
    """Return a body and its copies under a point group."""
    turned = [body.turned(g) for g in group]
    return Body(np.vstack([b.xyz for b in turned]), np.concatenate([b.weight for b in turned]))


def stacked(bodies: Sequence[Body]) -> Body:
    """Return bodies one on the other along z, each where it touches those below.

    Raises
    ------
    ValueError
        One falls through the hole of those below.
    """
    whole = bodies[0]
    up = np.array([0.0, 0.0, 1.0])
    for body in bodies[1:]:
        whole = whole + slid(whole, body, up)
    return whole


def slid(fixed: Body, moving: Body, direction: Float) -> Body:
    """Return the moving body, shifted along a direction only, where it touches.

    Raises
    ------
    ValueError
        It passes the fixed one by.
    """
    distance = first_contact(fixed, moving, direction)
    if not np.isfinite(distance):
        raise ValueError("the bodies pass each other by; expected them to touch on the way")
    return moving.moved(distance * direction / np.linalg.norm(direction))


def closest(build: Callable[[Rotation], Body], miss: Callable[[Body], float], seed: int) -> Body:
    """Return, of the bodies built from random orientations of a part, the one nearest to a wish.

    Parameters
    ----------
    miss
        How far a body is from what is wanted; the least wins.
    """
    turns = Rotation.random(TRIES, random_state=np.random.RandomState(seed))
    return min((build(turn) for turn in turns), key=miss)
