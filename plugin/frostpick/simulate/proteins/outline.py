"""How large a view of a particle is, and how hollow: what a picker sees of its shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.proteins.protein import SURFACE_SIGMAS, Protein
from frostpick.simulate.proteins.views import euler_matrix, random_angles

Float = NDArray[np.float64]

#: Directions in which a silhouette is measured; between two of them 1 % is missed at most.
_AZIMUTH = np.arange(12) * np.pi / 12
_LINES = np.stack([np.cos(_AZIMUTH), np.sin(_AZIMUTH)])
#: Radii, as shares of the silhouette's, of its middle and of the annuli about it.
_RADII = np.array([0.0, 0.25, 0.45, 0.65, 0.85, 1.05])
_AREAS = np.diff(_RADII**2)


def outline(seen: Float, weights: Float, margin: float) -> tuple[float, float]:
    """Return extent and hollowness of a projection.

    Parameters
    ----------
    seen
        ``(n, 2)``, the blobs as projected, any unit.
    weights
        ``(n,)``, their masses.
    margin
        Added on each side: how far a blob reaches.

    Returns
    -------
    extent
        Longest dimension of the silhouette, in the unit of ``seen``.
    hollowness
        1 less the mean density in the middle, within a quarter of the silhouette's radius, over
        that of the densest annulus, 0 to 1: 0 for a disc or a ball, 1 for an open ring.
    """
    along = seen @ _LINES
    high, low = along.max(0), along.min(0)
    extent = float((high - low).max()) + 2 * margin
    # the middle of the silhouette, which is not the centre of mass of a lopsided view
    x, y = 0.5 * (high[0] + low[0]), 0.5 * (high[6] + low[6])
    radius = 0.5 * extent
    away = np.hypot(seen[:, 0] - x, seen[:, 1] - y) / radius
    density = np.histogram(away, _RADII, weights=weights)[0] / _AREAS
    densest = float(density[1:].max())
    if densest <= 0:
        return extent, 0.0
    return extent, float(np.clip(1.0 - density[0] / densest, 0.0, 1.0))


def view_outline(protein: Protein, angles: Float) -> tuple[float, float]:
    """Return the extent of a view in Angstrom, and its hollowness."""
    seen = protein.positions_A @ euler_matrix(*angles)[:2].T
    return outline(seen, protein.weights, SURFACE_SIGMAS * protein.sigma_A)


def range_of_extents(
    rng: np.random.Generator, protein: Protein, n: int = 40
) -> tuple[float, float]:
    """Return the smallest and the largest extent of random views, in Angstrom.

    Views along the axes of inertia are among them: those of an axis are rare by chance.
    """
    centred = protein.positions_A
    _, axes = np.linalg.eigh(centred.T @ centred)
    extents = [view_outline(protein, angles)[0] for angles in random_angles(rng, n)]
    for k in range(3):
        plane = np.delete(axes, k, axis=1)
        extents.append(
            outline(centred @ plane, protein.weights, SURFACE_SIGMAS * protein.sigma_A)[0]
        )
    return min(extents), max(extents)
