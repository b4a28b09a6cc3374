"""Beads that are not protein: a DNA double helix, detergent belts and micelles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unseen.beads import Body

Float = NDArray[np.float64]

#: B-DNA: rise and turn of a base pair, radii of the backbones and of the bases (Angstrom, degrees),
#: and the angle between the two strands across the minor groove.
RISE_A, TURN, BACKBONE_A, BASE_A, GROOVE = 3.38, 34.3, 9.0, 3.5, 150.0
#: Contrast against ice of a nucleotide's phosphate and sugar, and of its base, in mean beads of
#: protein; about 1.5 times that of as many atoms of protein.
BACKBONE_WEIGHT, BASE_WEIGHT = 3.0, 2.4
#: Detergent: contrast of a bead of the shell of heads in mean beads of protein; tails
#: are as dense as ice and give none. Thickness of that shell, spacing of its beads, Angstrom.
HEAD_WEIGHT, HEAD_A, SPACING_A = 0.75, 11.0, 4.0


def double_helix(base_pairs: int, bead_weight: float) -> Body:
    """Return B-DNA along x, centred: a bead a backbone and one a base, of either strand."""
    k = np.arange(base_pairs)
    along = (k - (base_pairs - 1) / 2) * RISE_A
    points, weights = [], []
    for shift in (0.0, GROOVE):
        angle = np.deg2rad(k * TURN + shift)
        for radius, weight in ((BACKBONE_A, BACKBONE_WEIGHT), (BASE_A, BASE_WEIGHT)):
            ring = np.column_stack([along, radius * np.cos(angle), radius * np.sin(angle)])
            points.append(ring)
            weights.append(np.full(base_pairs, weight * bead_weight))
    return Body(np.vstack(points), np.concatenate(weights)).centred


def detergent(semi_axes: tuple[float, float, float], bead_weight: float) -> Body:
    """Return the heads of a micelle: beads of the outer shell of an ellipsoid (semi-axes, A)."""
    outer = np.array(semi_axes)
    sides = [np.arange(-a, a + SPACING_A, SPACING_A) for a in outer]
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = np.sum((grid / outer) ** 2, axis=1) <= 1
    core = np.sum((grid / (outer - HEAD_A)) ** 2, axis=1) <= 1
    shell = grid[inside & ~core]
    return Body(shell, np.full(len(shell), HEAD_WEIGHT * bead_weight))
