"""Where the particles of a corpus micrograph lie.

All protein is reduced to weighted points, which the projections of Gaussian blobs
are, and `frostpick.simulate.corpus` spreads them over the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from frostpick.simulate.camera.conditions import Conditions
from frostpick.simulate.draws import log_uniform
from frostpick.simulate.ice.fields import smooth_field
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.specimen import Specimen
from frostpick.simulate.proteins.views import euler_matrix, preferred_angles, random_angles

Float = NDArray[np.float64]
Generator = np.random.Generator

CELL = 4
"""Side of the cells in which free ground is counted, in pixels."""


@dataclass
class Points:
    """Blobs as seen: columns and rows ``(n, 2)`` in pixels and masses ``(n,)``, in pieces."""

    xy_px: list[Float] = field(default_factory=list)
    weights: list[Float] = field(default_factory=list)

    def add(
        self, protein: Protein, angles: Float, xy: Float, pixel_size_A: float, amount: float = 1.0
    ) -> None:
        """Add the projection of a particle."""
        seen = protein.positions_A @ euler_matrix(*angles)[:2].T
        self.xy_px.append(seen / pixel_size_A + xy)
        self.weights.append(amount * protein.weights)

    def joined(self) -> tuple[Float, Float]:
        """Return all as one array each."""
        if not self.xy_px:
            return np.zeros((0, 2)), np.zeros(0)
        return np.concatenate(self.xy_px), np.concatenate(self.weights)


def place_particles(
    rng: Generator, specimen: Specimen, conditions: Conditions, blocked: NDArray[np.bool_]
) -> tuple[Points, Float, Float]:
    """Return the particles, their centres ``(n, 2)`` and angles ``(n, 3)``.

    Parameters
    ----------
    blocked
        Cells of `CELL` pixels that other things cover; particles keep a third to half a
        diameter away from them.
    """
    protein = specimen.protein
    ny, nx = conditions.canvas
    # long particles lie side by side, so distance goes by their mean width
    rms_A = np.sqrt(np.average((protein.positions_A**2).sum(1), weights=protein.weights))
    width = min(conditions.diameter_px, 2.58 * rms_A / conditions.pixel_size_A)
    nearest = width * rng.uniform(0.85, 1.3)
    distance = distance_transform_edt(~blocked) if blocked.any() else None
    free = np.ones_like(blocked)
    if distance is not None:
        free = distance * CELL > rng.uniform(0.3, 0.55) * conditions.diameter_px
    if rng.random() < 0.15:  # they gather in one part of the hole
        wide = smooth_field(rng, (ny, nx), rng.uniform(3, 8) * conditions.diameter_px)
        wide = np.pad(wide[::CELL, ::CELL], ((0, 1), (0, 1)))
        free &= wide[: free.shape[0], : free.shape[1]] > rng.uniform(-0.8, 0.5)
    most = 0.75 * free.mean() * ny * nx / nearest**2
    wanted = most * (rng.uniform(0.2, 1.0) if rng.random() < 0.5 else log_uniform(rng, 0.03, 0.6))
    crowding = rng.uniform(0.0, 0.6)
    centres = _throw(rng, free, (ny, nx), round(wanted), nearest, crowding)
    n = len(centres)
    if rng.random() < 0.55 and protein.preferred_views is not None:
        fraction, concentration = rng.uniform(0.5, 1.0), log_uniform(rng, 4.0, 400.0)
        angles = preferred_angles(
            rng, n, protein.preferred_views, fraction=fraction, concentration=concentration
        )
    else:
        angles = random_angles(rng, n)
    points = Points()
    amounts = rng.normal(1.0, rng.uniform(0.02, 0.15), n).clip(0.6, 1.4)
    species = [*specimen.conformers]
    which = rng.integers(len(species), size=n)
    if specimen.second is not None:
        species.append(specimen.second)
        which[rng.random(n) < rng.uniform(0.2, 0.6)] = len(species) - 1
    for xy, turn, amount, k in zip(centres, angles, amounts, which, strict=True):
        points.add(species[k], turn, xy, conditions.pixel_size_A, amount)
    return points, centres, angles


def _throw(
    rng: Generator,
    free: NDArray[np.bool_],
    shape: tuple[int, int],
    wanted: int,
    nearest: float,
    crowding: float,
) -> Float:
    """Throw particles at free cells, a fraction of them beside an earlier one, none too near."""
    ny, nx = shape
    tries = 12 * wanted + 8
    darts = rng.uniform(0, 1, (tries, 2)) * (nx - 1, ny - 1)
    beside = rng.random(tries) < crowding
    away = nearest * rng.uniform(1.0, 1.3, tries)
    angle = rng.uniform(0, 2 * np.pi, tries)
    steps = np.column_stack([away * np.cos(angle), away * np.sin(angle)]).tolist()
    parents = rng.random(tries)
    grid: dict[tuple[int, int], list[tuple[float, float]]] = {}
    placed: list[tuple[float, float]] = []
    limit = nearest * nearest
    for i, (x, y) in enumerate(darts.tolist()):
        if len(placed) >= wanted:
            break
        if beside[i] and placed:
            px, py = placed[int(parents[i] * len(placed))]
            x, y = px + steps[i][0], py + steps[i][1]
            if not (0 <= x <= nx - 1 and 0 <= y <= ny - 1):
                continue
        if not free[int(y) // CELL, int(x) // CELL]:
            continue
        column, row = int(x / nearest), int(y / nearest)
        if all(
            (x - a) ** 2 + (y - b) ** 2 >= limit
            for c in (column - 1, column, column + 1)
            for r in (row - 1, row, row + 1)
            for a, b in grid.get((c, r), ())
        ):
            placed.append((x, y))
            grid.setdefault((column, row), []).append((x, y))
    return np.array(placed).reshape(-1, 2)
