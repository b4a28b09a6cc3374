"""Bodies of beads, read from the structures that no model is trained on."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

import frostpick

Float = NDArray[np.float64]

#: The files alone are read: no code of the package simulates anything here.
STRUCTURES = Path(frostpick.__file__).parent / "simulate/proteins/structures"
#: A bead stands for so many Angstrom.
BEAD_A = 4.0


@dataclass(frozen=True)
class Body:
    """Beads of a protein or of a part of one.

    Parameters
    ----------
    xyz
        ``(n, 3)`` float64 in Angstrom.
    weight
        ``(n,)`` float64, scattering of each bead.
    """

    xyz: Float
    weight: Float

    def __len__(self) -> int:
        return len(self.weight)

    def __add__(self, other: Body) -> Body:
        return Body(np.vstack([self.xyz, other.xyz]), np.append(self.weight, other.weight))

    def moved(self, by: Float) -> Body:
        """Return the body shifted by ``(3,)`` Angstrom."""
        return Body(self.xyz + by, self.weight)

    def turned(self, rotation: Rotation) -> Body:
        """Return the body turned about the origin."""
        return Body(rotation.apply(self.xyz), self.weight)

    def times(self, factor: float) -> Body:
        """Return the body with every weight multiplied."""
        return Body(self.xyz, self.weight * factor)

    def keep(self, chosen: NDArray[np.bool_]) -> Body:
        """Return some of the beads."""
        return Body(self.xyz[chosen], self.weight[chosen])

    @property
    def centre(self) -> Float:
        """Centre of mass, ``(3,)``."""
        return np.average(self.xyz, axis=0, weights=self.weight)

    @property
    def centred(self) -> Body:
        """The body with its centre of mass at the origin."""
        return self.moved(-self.centre)

    @property
    def diameter_A(self) -> float:
        """Longest dimension: greatest distance of two beads, and one bead."""
        return widest(self.xyz) + BEAD_A

    def size(self, axis: int) -> float:
        """Return the length along an axis in Angstrom."""
        return float(np.ptp(self.xyz[:, axis])) + BEAD_A

    @property
    def width(self) -> float:
        """Diameter of the circle about the z axis that holds every bead, in Angstrom."""
        return 2.0 * float(np.hypot(self.xyz[:, 0], self.xyz[:, 1]).max()) + BEAD_A

    def along_axes(self) -> Body:
        """Return the body centred, its longest principal axis along z and the shortest along x."""
        body = self.centred
        _, axes = np.linalg.eigh(np.cov(body.xyz.T, aweights=self.weight))
        if np.linalg.det(axes) < 0:
            axes[:, 0] *= -1
        return Body(body.xyz @ axes, body.weight)


def hull(points: Float) -> Float:
    """Return the corners of the convex hull of ``(n, d)`` points; flat ones come back whole."""
    try:
        return points[ConvexHull(points).vertices]
    except QhullError:
        return points


def widest(points: Float) -> float:
    """Return the greatest distance of two of ``(n, d)`` points."""
    corners = hull(points)
    return float(pdist(corners).max()) if len(corners) > 1 else 0.0


@cache
def test_names() -> tuple[str, ...]:
    """Return the PDB names of the structures that no corpus may hold."""
    with (STRUCTURES / "complexes.tsv").open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        return tuple(row["pdb"] for row in rows if row["part"] == "test")


@cache
def structure(name: str) -> Body:
    """Return a test structure by name, ``1A2K``, or one chain of it, ``1A2K.0``; centred.

    Raises
    ------
    ValueError
        The structure is not one of those kept for judging.
    """
    pdb, _, chain = name.partition(".")
    if pdb not in test_names():
        raise ValueError(f"{pdb} is not a test structure; a model may have been trained on it")
    with np.load(STRUCTURES / "complexes.npz", allow_pickle=False) as arrays:
        body = Body(arrays[f"{pdb}_xyz"].astype(float), arrays[f"{pdb}_w"].astype(float))
        if chain:
            body = body.keep(arrays[f"{pdb}_chain"] == int(chain))
    return body.centred
