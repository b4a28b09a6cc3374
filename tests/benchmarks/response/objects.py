"""Bodies of one density seen end-on or from above, as points of a residue each.

All have the density of the typical particle, so a body is as dark as it is long along the
beam. A view that is narrower than the stated diameter is one of a particle that is long along
the beam: **tubes** (hollow) and **rods** (solid) seen end-on are one stated diameter long
whatever their width. **Rings** and **discs** lie flat and are `FLAT` diameters high, the height
of their subunits, whatever their width. **Shells** are hollow spheres and **particles** are
ellipsoids of any orientation, and all of either scales with its size: a smaller one is fainter,
as a smaller protein is on the same ice. Nothing is brightened to be seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

KINDS = ("ring", "disc", "rod", "tube", "shell", "particle")
#: Outer sizes, in stated diameters.
SIZES = (0.4, 0.45, 0.5, 0.6, 0.67, 0.75, 0.85, 1.0, 1.15, 1.3)
#: Height of what lies flat, in stated diameters.
FLAT = 0.4
#: Width of the hole of rings and tubes, and of the cavity of shells (apoferritin's: .63 of its
#: outer size), in outer sizes.
HOLE, CAVITY = 0.5, 0.63
#: Short axes of a typical particle over its long one.
SHORT_AXES = (0.6, 0.9)
#: Sigma of the tilt of what is seen end-on or from above, degrees on each of two axes.
TILT = 4.0


def body(rng: np.random.Generator, kind: str, size: float, per_volume: float) -> Points:
    """Return the points of a body about its centre, in the frame of the microscope.

    Parameters
    ----------
    kind
        One of `KINDS`.
    size
        Width as it is seen, of a particle its longest dimension, in stated diameters.
    per_volume
        Points in a cube of one stated diameter.

    Returns
    -------
    ndarray
        ``(n, 3)`` float64, x, y and z (along the beam) in stated diameters.
    """
    if kind == "particle":
        axes = size * np.array([1.0, *rng.uniform(*SHORT_AXES, 2)])
        return _ball(rng, 0.0, per_volume * axes.prod()) * axes @ random_rotation(rng)
    if kind == "shell":
        return _ball(rng, CAVITY, per_volume * size**3) * size
    hole = HOLE if kind in ("ring", "tube") else 0.0
    height = 1.0 if kind in ("rod", "tube") else FLAT
    count = round(per_volume * np.pi / 4 * size**2 * (1 - hole**2) * height)
    radius = size / 2 * np.sqrt(rng.uniform(hole**2, 1.0, count))
    angle = rng.uniform(0.0, 2 * np.pi, count)
    z = rng.uniform(-height / 2, height / 2, count)
    upright = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])
    return upright @ _tilt(rng)


def _ball(rng: np.random.Generator, hole: float, per_cube: float) -> Points:
    """Return points of a ball of diameter 1 with a cavity, ``per_cube`` in a unit cube."""
    count = round(per_cube * np.pi / 6 * (1 - hole**3))
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = 0.5 * np.cbrt(rng.uniform(hole**3, 1.0, count))
    return np.asarray(direction * radius[:, None])


def random_rotation(rng: np.random.Generator) -> Points:
    """Return a random rotation matrix, ``(3, 3)``: QR of a normal matrix (Stewart 1980)."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diagonal(r))
    return np.asarray(q * np.sign(np.linalg.det(q)))


def _tilt(rng: np.random.Generator) -> Points:
    """Return the rotation by small random angles about x and y, ``(3, 3)``."""
    a, b = np.deg2rad(rng.normal(0.0, TILT, 2))
    about_x = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
    return np.asarray(about_x @ about_y)
