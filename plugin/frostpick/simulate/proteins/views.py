"""Orientations in RELION's convention.

A point ``r`` of the particle is seen at ``(A r)[0]`` (x) and ``(A r)[1]`` (y) of the
image, with ``A = euler_matrix(rot, tilt, psi)``; the beam runs along the particle's
direction ``A[2]``. Angles in degrees, ZYZ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def euler_matrix(rot: float, tilt: float, psi: float) -> Float:
    """Return ``Rz(psi) Ry(tilt) Rz(rot)`` as passive rotations, ``(3, 3)`` float64.

    Heymann, Chagoyen and Belnap (2005), J. Struct. Biol. 151, 196.
    """
    a, b, g = np.deg2rad([rot, tilt, psi])
    ca, cb, cg = np.cos([a, b, g])
    sa, sb, sg = np.sin([a, b, g])
    return np.array(
        [
            [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
            [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
            [sb * ca, sb * sa, cb],
        ]
    )


def random_directions(rng: np.random.Generator, n: int) -> Float:
    """Return ``(n, 3)`` unit vectors, uniform on the sphere."""
    v = rng.normal(size=(n, 3))
    return np.asarray(v / np.linalg.norm(v, axis=1, keepdims=True))


def random_angles(rng: np.random.Generator, n: int) -> Float:
    """Return ``(n, 3)`` rot, tilt, psi, uniform over all orientations."""
    return np.column_stack(
        [
            rng.uniform(-180, 180, n),
            np.rad2deg(np.arccos(rng.uniform(-1, 1, n))),
            rng.uniform(-180, 180, n),
        ]
    )


def preferred_angles(
    rng: np.random.Generator,
    n: int,
    directions: Float,
    *,
    fraction: float = 0.8,
    concentration: float = 12.0,
) -> Float:
    """Return ``(n, 3)`` rot, tilt, psi, most of them near the given beam directions.

    Parameters
    ----------
    directions
        ``(m, 3)`` unit vectors in the frame of the particle, or their opposites,
        which a particle lying on its other face shows: the same as given.
    fraction
        Share of the orientations that are near one of them; the others are uniform.
    concentration
        Of the von Mises-Fisher distribution around a direction; 12 is about 17 degrees
        in each of the two angles.
    """
    angles = random_angles(rng, n)
    chosen = directions[rng.integers(len(directions), size=n)]
    near = rng.random(n) < fraction
    # Wood (1994): the cosine of the angle to the mean direction
    u = rng.random(n)
    cosine = 1 + np.log(u + (1 - u) * np.exp(-2 * concentration)) / concentration
    aside = random_directions(rng, n)
    aside -= (aside * chosen).sum(1, keepdims=True) * chosen
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    view = cosine[:, None] * chosen + np.sqrt(1 - cosine**2)[:, None] * aside
    angles[near, 0] = np.rad2deg(np.arctan2(view[near, 1], view[near, 0]))
    angles[near, 1] = np.rad2deg(np.arccos(np.clip(view[near, 2], -1, 1)))
    return angles
