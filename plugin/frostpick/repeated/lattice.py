"""Whether places lie on a lattice, as the domains of an ice crystal do, by their neighbours.

On a lattice the point opposite to a neighbour is a place too, whatever the spacing, the angles and
the direction of a domain are. Particles keep apart and crowd, but what lies on one side of them
does not tell what lies on the other: as many are a little beside that point, where a lattice has
none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]

#: Nearest neighbours of a member that are looked at, and how far from a point another place may
#: be, in distances of that neighbour: where each place is off by a twentieth of the spacing, the
#: one opposite is within so much of it in 88 % of cases.
NEIGHBOURS, REACH = 3, 0.25
#: Directions from the opposite one, in degrees, that are compared with it: half-way between
#: those of a hexagonal lattice, and on no square one.
BESIDE = (-30.0, 30.0)
#: Fewest neighbours that can be asked, of all pictures together.
FEWEST = 60


def opposite_excess(pictures: Sequence[tuple[Floats, Floats, tuple[int, int]]]) -> float:
    """Return how much more often a place is opposite to a neighbour than beside that point.

    For a member ``x`` and its neighbour at ``x + v`` a place within `REACH` ``|v|`` of ``x - v``
    is opposite. The difference of the two shares is near 1 on a lattice of which every place
    was found, and near 0 for others. NaN where fewer than `FEWEST` neighbours can be asked.

    Parameters
    ----------
    pictures
        Of each picture the members ``(n, 2)`` and all places ``(m, 2)``, these among them, by row
        and column, and its rows and columns.
    """
    asked, opposite, beside = 0, 0, 0
    for members, places, shape in pictures:
        if not len(members) or len(places) <= NEIGHBOURS:
            continue
        tree = cKDTree(places)
        near = np.asarray(tree.query(members, k=NEIGHBOURS + 1)[1])[:, 1:]
        step = (places[near] - members[:, None, :]).reshape(-1, 2)
        start = np.repeat(members, NEIGHBOURS, axis=0)
        points = np.stack([start + _turned(step, 180.0 + a) for a in (0.0, *BESIDE)])
        inside = ((points >= 0) & (points <= np.array(shape) - 1)).all((0, 2))
        reach = REACH * np.hypot(*step.T)[inside]
        there = tree.query(points[:, inside])[0] <= reach
        asked += int(inside.sum())
        opposite += int(there[0].sum())
        beside += int(there[1:].sum())
    if asked < FEWEST:
        return float("nan")
    return (opposite - beside / len(BESIDE)) / asked


def _turned(step: Floats, degrees: float) -> Floats:
    """Return vectors ``(n, 2)`` turned by an angle."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.asarray(step @ np.array([[c, s], [-s, c]]))
