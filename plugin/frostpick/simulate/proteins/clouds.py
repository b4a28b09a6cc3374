"""Proteins as clouds of beads: made coarser, turned, and brought into contact.

Contact is in closed form. A point at ``d + t v`` from another, ``t`` being how far one cloud
is moved, is ``gap`` away from it where ``|d + t v| = gap``; the largest such ``t`` over all
pairs is where the clouds, coming from afar, touch first. Interfaces interlock, so `CLASHES` of
the beads of the moved cloud may be nearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Generator = np.random.Generator

#: Spacing of the beads that structures are given as, in Angstrom.
FINEST_A = 4.0
#: Distance of two clouds in contact, in spacings of their beads.
CONTACT = 1.0
#: Share of the beads of a cloud that may be nearer.
CLASHES = 0.06
#: Beads of each cloud that are looked at; more are thinned out evenly.
_LOOKED_AT = 240


@dataclass(frozen=True)
class Cloud:
    """Beads of one or several chains.

    Parameters
    ----------
    positions
        ``(n, 3)`` float64, any unit.
    weights
        ``(n,)`` float64.
    part
        ``(n,)`` int64, the chain of each bead: what could come off.
    """

    positions: Float
    weights: Float
    part: Index

    def moved(self, matrix: Float | None = None, by: Float | None = None) -> Cloud:
        """Return the cloud turned by a ``(3, 3)`` matrix, then moved by ``(3,)``."""
        positions = self.positions if matrix is None else self.positions @ matrix.T
        return replace(self, positions=positions if by is None else positions + by)

    def lying_along(self, axis: int) -> Cloud:
        """Return the cloud with its longest principal axis along an axis, 0 to 2, centred."""
        centred = self.positions - np.average(self.positions, axis=0, weights=self.weights)
        if len(centred) < 3:  # no axis to speak of
            return replace(self, positions=centred)
        _, vectors = np.linalg.eigh(np.cov(centred.T, aweights=self.weights))
        frame = np.roll(vectors[:, ::-1], axis, axis=1)  # the longest one at ``axis``
        return replace(self, positions=centred @ frame)


def joined(clouds: Sequence[Cloud]) -> Cloud:
    """Return one cloud of all; every chain stays a part of its own."""
    parts: list[Index] = []
    start = 0
    for cloud in clouds:
        parts.append(cloud.part + start)
        start += int(cloud.part.max()) + 1
    return Cloud(
        np.concatenate([c.positions for c in clouds]),
        np.concatenate([c.weights for c in clouds]),
        np.concatenate(parts),
    )


def copies(cloud: Cloud, group: Float) -> Cloud:
    """Return the cloud and its symmetry copies; ``group`` is ``(g, 3, 3)``."""
    return joined([cloud.moved(matrix) for matrix in group])


def coarse(positions: Float, weights: Float, spacing: float) -> Cloud:
    """Return one bead for each occupied cell of ``spacing``, at the centre of mass in it."""
    cell = np.floor((positions - positions.min(0)) / spacing).astype(np.int64)
    size = cell.max(0) + 1
    key = (cell[:, 0] * size[1] + cell[:, 1]) * size[2] + cell[:, 2]
    _, which = np.unique(key, return_inverse=True)
    mass = np.asarray(np.bincount(which, weights), np.float64)
    middle = [np.bincount(which, weights * positions[:, k]) / mass for k in range(3)]
    return Cloud(np.column_stack(middle), mass, np.zeros(len(mass), np.int64))


def spacing_for(positions: Float, weights: Float, wanted: float) -> float:
    """Return the spacing at which `coarse` leaves about ``wanted`` beads."""
    extent = np.ptp(positions, axis=0)
    spacing = float(np.prod(extent) * 0.5 / wanted) ** (1 / 3)
    for _ in range(4):
        found = len(coarse(positions, weights, spacing).weights)
        spacing *= (found / wanted) ** 0.4
    return float(max(spacing, FINEST_A))


def random_turn(rng: Generator) -> Float:
    """Return a uniform random rotation, ``(3, 3)``."""
    q = rng.normal(size=4)
    return np.asarray(Rotation.from_quat(q / np.linalg.norm(q)).as_matrix())


def about_z(angle: float) -> Float:
    """Return the rotation about z by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def touch(moving: Float, fixed: Float, direction: Float, gap: float) -> float:
    """Return the largest ``t`` at which ``moving + t * direction`` touches ``fixed``.

    They touch where more than `CLASHES` of the beads of ``moving`` are within ``gap``.

    Parameters
    ----------
    moving, fixed
        ``(n, 3)`` and ``(m, 3)``.
    direction
        ``(3,)``, of any length but 0.

    Returns
    -------
    float
        0 where the clouds pass without touching.
    """
    moving = moving[:: -(-len(moving) // _LOOKED_AT)]
    fixed = fixed[:: -(-len(fixed) // _LOOKED_AT)]
    vv = float(direction @ direction)
    # |d|^2 and d v of all pairs from products of the clouds: no array of all differences
    dv = (moving @ direction)[:, None] - (fixed @ direction)[None]
    dd = (moving**2).sum(1)[:, None] + (fixed**2).sum(1)[None] - 2 * moving @ fixed.T
    square = dv * dv - vv * (dd - gap * gap)
    reached = np.where(square >= 0, (np.sqrt(np.maximum(square, 0)) - dv) / vv, -np.inf).max(1)
    reached = np.sort(reached)[::-1]
    # where fewer beads than may clash touch at all, the first one to touch counts
    for found in (reached[min(len(reached) - 1, int(CLASHES * len(reached)))], reached[0]):
        if np.isfinite(found):
            return float(found)
    return 0.0


def touch_copies(unit: Float, group: Float, direction: Float, gap: float) -> float:
    """Return how far ``unit`` must be moved along ``direction`` to be ``gap`` from its copies.

    Copies about an axis along the direction are left out: no move parts them.
    """
    furthest = 0.0
    for matrix in group:
        relative = direction - matrix @ direction
        if np.linalg.norm(relative) > 1e-6:
            furthest = max(furthest, touch(unit, unit @ matrix.T, relative, gap))
    return furthest


def symmetric(unit: Cloud, group: Float, direction: Float, gap: float) -> Cloud:
    """Return all copies of ``unit``, moved out along ``direction`` until they touch.

    ``group`` is ``(g, 3, 3)``, the identity first.
    """
    away = touch_copies(unit.positions, group[1:], direction, gap)
    return copies(unit.moved(by=away * direction), group)


def slid_onto(moving: Cloud, fixed: Cloud, direction: Float, gap: float) -> Cloud:
    """Return ``moving`` shifted along ``direction`` from afar until it touches ``fixed``."""
    far = touch(moving.positions, fixed.positions, direction, gap)
    return moving.moved(by=far * direction)
