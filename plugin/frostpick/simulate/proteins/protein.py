"""A particle as Gaussian blobs, and its pieces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

Float = NDArray[np.float64]

SURFACE_SIGMAS = 1.5
"""A blob ends, for the diameter, this many standard deviations from its centre."""

BLOB = 0.55
"""Standard deviation of a blob over the distance of neighbours: a filled body is even."""


@dataclass(frozen=True)
class Protein:
    """The density of a particle, as isotropic Gaussians around its centre of mass.

    Parameters
    ----------
    positions_A
        ``(n, 3)`` float64, centres in Angstrom; their weighted mean is the origin,
        and that is what "the centre of the particle" means. Build with `centred`.
    weights
        ``(n,)`` float64, mass of each blob, arbitrary units.
    sigma_A
        Standard deviation of every blob in Angstrom.
    family, symmetry
        How it was built.
    preferred_views
        ``(m, 3)`` unit vectors, directions of the beam in the frame of the particle.
    """

    positions_A: Float
    weights: Float
    sigma_A: float
    family: str = "given"
    symmetry: str = "C1"
    preferred_views: Float | None = None

    @classmethod
    def of_diameter(
        cls,
        diameter_A: float,
        positions: Float,
        weights: Float,
        spacing: float,
        family: str,
        symmetry: str,
        preferred_views: Float | None,
    ) -> Protein:
        """Return blobs ``spacing`` apart, in any unit, scaled to a longest dimension, centred."""
        sigma = BLOB * spacing
        scale = diameter_A / (longest_distance(positions) + 2 * SURFACE_SIGMAS * sigma)
        return cls(
            positions * scale, weights, sigma * scale, family, symmetry, preferred_views
        ).centred()

    @property
    def diameter_A(self) -> float:
        """Longest dimension in Angstrom."""
        return longest_distance(self.positions_A) + 2 * SURFACE_SIGMAS * self.sigma_A

    @property
    def reach_A(self) -> float:
        """Distance from the centre beyond which there is nothing, in Angstrom."""
        return float(np.linalg.norm(self.positions_A, axis=1).max()) + 4.0 * self.sigma_A

    def centred(self) -> Protein:
        """Return the same blobs with their centre of mass at the origin.

        Where detergent that is lighter than water takes most of the mass away again, that of
        their absolute masses: the other one could lie anywhere.
        """
        size = np.abs(self.weights)
        mass = self.weights if self.weights.sum() > 0.3 * size.sum() else size
        middle = np.average(self.positions_A, axis=0, weights=mass)
        return replace(self, positions_A=self.positions_A - middle)

    def piece(self, normal: Float, fraction: float) -> Protein:
        """Return the ``fraction`` of the blobs farthest along ``normal``, centred anew."""
        height = self.positions_A @ normal
        keep = height >= np.quantile(height, 1.0 - fraction)
        part = Protein(self.positions_A[keep], self.weights[keep], self.sigma_A, "piece")
        return part.centred()


def longest_distance(points: Float) -> float:
    """Return the largest distance between two of the ``(n, 3)`` points; 0 for one point."""
    if len(points) < 2:
        return 0.0
    try:
        points = points[ConvexHull(points).vertices]
    except QhullError:  # few points, or all in one plane
        pass
    return float(pdist(points).max())
