"""Bodies of one density seen end-on or from above, as points of a residue each.

A view that is narrower than the stated diameter is one of a particle that is long along the
beam: **tubes** (hollow) and **rods** (solid) seen end-on are one stated diameter long whatever
their width, and dark. **Rings** and **discs** lie flat and are `FLAT` diameters high, the height
of their subunits, whatever their width. **Shells** are hollow spheres and **particles** are
ellipsoids of any orientation; all of either scales with its size. Half of a body's volume is
solvent, in gaps between domains (`_domains`). What is done about faint ones: `micrographs`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import scipy.fft
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
#: Voxels along a side of the map of domains and their size, and the wavelengths in it, in stated
#: diameters: about 30 to 80 A.
VOXELS, VOXEL, WAVES = 64, 1 / 32, (0.18, 0.47)
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
        Points in a cube of one stated diameter, solvent and all.

    Returns
    -------
    ndarray
        ``(n, 3)`` float64, x, y and z (along the beam) in stated diameters.
    """
    # As many again, for half of them fall into solvent.
    points = _solid(rng, kind, size, 2 * per_volume)
    cell = np.floor(points / VOXEL + rng.uniform(0, VOXELS, 3)).astype(np.int64) % VOXELS
    return np.asarray(points[_domains()[cell[:, 0], cell[:, 1], cell[:, 2]]])


@cache
def _domains() -> NDArray[np.bool_]:
    """Return a periodic map of what is protein, ``(VOXELS,) * 3``: half of it, in lumps.

    Band-passed normal noise above its median.
    """
    noise = np.random.default_rng(20261126).standard_normal((VOXELS,) * 3)
    k = scipy.fft.fftfreq(VOXELS, VOXEL)
    away = np.sqrt(sum(np.meshgrid(k**2, k**2, k**2, indexing="ij")))
    band = (away >= 1 / WAVES[1]) & (away <= 1 / WAVES[0])
    field = scipy.fft.ifftn(scipy.fft.fftn(noise) * band).real
    return np.asarray(field > np.median(field))


def _solid(rng: np.random.Generator, kind: str, size: float, per_volume: float) -> Points:
    """Return the points of a body without gaps; arguments and result as of `body`."""
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
    z, angle = rng.uniform(-1.0, 1.0, count), rng.uniform(0.0, 2 * np.pi, count)
    radius = 0.5 * np.cbrt(rng.uniform(hole**3, 1.0, count))
    across = radius * np.sqrt(1 - z**2)
    return np.column_stack([across * np.cos(angle), across * np.sin(angle), radius * z])


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
