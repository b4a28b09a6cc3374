"""Point groups as rotations, and directions of view that differ under them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Float = NDArray[np.float64]


def group(name: str) -> Rotation:
    """Return a point group by its Schoenflies name: C1, C7, D7, T, O."""
    return Rotation.create_group(name)


def view_rotation(rot: Float, tilt: Float, psi: Float) -> Rotation:
    """Return what turns a body into the frame of the image, angles in degrees.

    RELION's ``rot, tilt, psi``: ``A = Rz(psi) Ry(tilt) Rz(rot)`` of passive rotations; the
    projection is along z of what it gives.
    """
    return Rotation.from_euler("zyz", -np.column_stack([rot, tilt, psi]), degrees=True)


def directions(step_degrees: float, symmetry: str) -> tuple[Float, Float]:
    """Return rot and tilt in degrees of views evenly spread over one asymmetric unit.

    A Fibonacci spiral with one direction per ``step^2`` of the sphere; of directions that the
    group makes equal the one nearest to a fixed generic direction stays.
    """
    count = round(4 * np.pi / np.deg2rad(step_degrees) ** 2)
    k = np.arange(count) + 0.5
    up = 1 - 2 * k / count
    around = np.pi * (1 + np.sqrt(5)) * k
    flat = np.sqrt(1 - up**2)
    points = np.column_stack([flat * np.cos(around), flat * np.sin(around), up])
    generic = np.array([0.811, 0.317, 0.492])
    turned = np.stack([g.apply(points) @ generic for g in group(symmetry)])
    own = points[points @ generic >= turned.max(axis=0) - 1e-9]
    tilt = np.rad2deg(np.arccos(np.clip(own[:, 2], -1, 1)))
    return np.rad2deg(np.arctan2(own[:, 1], own[:, 0])), tilt
