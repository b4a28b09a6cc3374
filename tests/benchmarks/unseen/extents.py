"""How large a particle's view is, and how hollow it looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unseen.beads import BEAD_A, widest

Float = NDArray[np.float64]

#: Annuli of equal width that the view's middle is compared with.
ANNULI = 6


def extent(xy: Float, diameter_A: float) -> float:
    """Return the longest dimension of a view as a share of the stated diameter.

    The greatest distance of two of the projected beads ``(n, 2)``, and one bead, over the
    diameter, which is the same in three dimensions: 1 at most. An open barrel seen along
    its axis has that of its outer ring.
    """
    return (widest(xy) + BEAD_A) / diameter_A


def hollowness(xy: Float, weight: Float) -> float:
    """Return how much fainter a view's middle is than its brightest annulus, 0 to 1.

    ``1 - p0 / max p`` with the mean projected density ``p`` of annuli about the centre of mass,
    each a sixth of the largest distance of a bead wide: 1 for a ring seen along its axis, 0 for
    a solid.
    """
    centre = np.average(xy, axis=0, weights=weight)
    away = np.hypot(*(xy - centre).T)
    outer = away.max()
    if outer <= 0:
        return 0.0
    number = np.minimum((away / outer * ANNULI).astype(int), ANNULI - 1)
    area = np.diff(np.arange(ANNULI + 1) ** 2)
    density = np.bincount(number, weight, ANNULI) / area
    return float(1 - density[0] / density.max())
