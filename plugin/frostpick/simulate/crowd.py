"""Where the protein of a corpus micrograph lies: particles, clumps, pieces, micelles, strands.

Everything is reduced to weighted points, which the projections of Gaussian blobs
are; `frostpick.simulate.corpus` spreads them over the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from frostpick.simulate.conditions import Conditions, log_uniform
from frostpick.simulate.layers import Decoy
from frostpick.simulate.protein import Protein
from frostpick.simulate.specimen import Specimen
from frostpick.simulate.views import euler_matrix, preferred_angles, random_angles

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


@dataclass
class Crowd:
    """Particles, and everything that is none, by kind."""

    particles: Points
    xy_px: Float
    angles: Float
    junk: dict[str, Points]
    decoys: list[Decoy]


def place_junk(
    rng: Generator, specimen: Specimen, conditions: Conditions
) -> tuple[dict[str, Points], list[Decoy]]:
    """Return clumps, strands, pieces and micelles; coordinates of the canvas."""
    junk = {kind: Points() for kind in ("aggregate", "fragment", "free_micelle")}
    decoys: list[Decoy] = []
    ny, nx = conditions.canvas
    pixel = conditions.pixel_size_A
    areas = ny * nx / conditions.diameter_px**2

    def anywhere() -> Float:
        return rng.uniform(0, 1, 2) * (nx - 1, ny - 1)

    for _ in range(rng.poisson(1.8) if rng.random() < 0.65 else 0):
        _clump(rng, junk["aggregate"], decoys, specimen, conditions, anywhere())
    if rng.random() < 0.05:
        for _ in range(int(rng.integers(1, 4))):
            _strand(rng, junk["aggregate"], decoys, specimen, conditions, anywhere())
    broken = rng.poisson(log_uniform(rng, 0.003, 0.06) * areas) if rng.random() < 0.65 else 0
    for _ in range(broken):
        xy = anywhere()
        amount = rng.uniform(0.7, 1.15)
        piece = specimen.fragment(rng)
        junk["fragment"].add(piece, random_angles(rng, 1)[0], xy, pixel, amount)
        decoys.append((xy[0], xy[1], "fragment"))
    if specimen.micelles and rng.random() < 0.8:
        for _ in range(rng.poisson(log_uniform(rng, 0.01, 0.2) * areas)):
            xy = anywhere()
            micelle = specimen.micelles[int(rng.integers(len(specimen.micelles)))]
            amount = rng.uniform(0.8, 1.2)
            junk["free_micelle"].add(micelle, random_angles(rng, 1)[0], xy, pixel, amount)
            decoys.append((xy[0], xy[1], "free_micelle"))
    return junk, decoys


def _clump(
    rng: Generator,
    points: Points,
    decoys: list[Decoy],
    specimen: Specimen,
    conditions: Conditions,
    xy: Float,
) -> None:
    """Add 2 to 30 particles over one another, or shapeless matter of as much protein."""
    n = max(2, round(log_uniform(rng, 1.6, 30.0)))
    compactness = rng.uniform(0.3, 0.65)
    shapeless = rng.random() < 0.4
    places = [xy]
    for _ in range(n - 1):
        angle = rng.uniform(0, 2 * np.pi)
        step = conditions.diameter_px * compactness * rng.uniform(0.8, 1.2)
        from_ = places[int(rng.integers(max(0, len(places) - 6), len(places)))]
        places.append(from_ + step * np.array([np.cos(angle), np.sin(angle)]))
    amount = rng.uniform(0.6, 1.8) if shapeless else rng.uniform(0.85, 1.15)
    for place, angles in zip(places, random_angles(rng, n), strict=True):
        what = specimen.fragment(rng) if shapeless else specimen.protein
        if shapeless:
            place = place + rng.normal(0, 0.15 * conditions.diameter_px, 2)
        points.add(what, angles, place, conditions.pixel_size_A, amount)
        decoys.append((place[0], place[1], "aggregate"))


def _strand(
    rng: Generator,
    points: Points,
    decoys: list[Decoy],
    specimen: Specimen,
    conditions: Conditions,
    xy: Float,
) -> None:
    """Add a filament or a thread of nucleic acid or lipid across the micrograph."""
    d = conditions.diameter_px
    step, width = 0.04 * d, log_uniform(rng, 0.03, 0.35) * d
    n = int(rng.uniform(3, 20) * d / step)
    stiffness = log_uniform(rng, 0.001, 0.08)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, stiffness, n))
    line = xy + np.cumsum(np.column_stack([np.cos(heading), np.sin(heading)]) * step, axis=0)
    each = max(2, int(rng.uniform(0.5, 1.2) * width / d * 60))
    across = width * 0.5 * np.cos(rng.uniform(0, np.pi, (n, each)))
    normal = np.column_stack([-np.sin(heading), np.cos(heading)])
    cloud = line[:, None] + across[..., None] * normal[:, None]
    mass = float(np.median(specimen.protein.weights)) * rng.uniform(0.6, 1.5)
    points.xy_px.append(cloud.reshape(-1, 2))
    points.weights.append(np.full(n * each, mass))
    every = max(1, int(d / step))
    decoys += [(x, y, "aggregate") for x, y in line[every // 2 :: every]]


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
    most = 0.75 * free.mean() * ny * nx / nearest**2
    wanted = most * (rng.uniform(0.2, 1.0) if rng.random() < 0.5 else log_uniform(rng, 0.03, 0.6))
    crowding = rng.uniform(0.0, 0.6)
    centres = _throw(rng, free, (ny, nx), round(wanted), nearest, crowding)
    n = len(centres)
    if rng.random() < 0.4 and protein.preferred_views is not None:
        fraction, concentration = rng.uniform(0.5, 1.0), log_uniform(rng, 4.0, 40.0)
        angles = preferred_angles(
            rng, n, protein.preferred_views, fraction=fraction, concentration=concentration
        )
    else:
        angles = random_angles(rng, n)
    points = Points()
    amounts = rng.normal(1.0, rng.uniform(0.02, 0.15), n).clip(0.6, 1.4)
    which = rng.integers(len(specimen.conformers), size=n)
    for xy, turn, amount, k in zip(centres, angles, amounts, which, strict=True):
        points.add(specimen.conformers[k], turn, xy, conditions.pixel_size_A, amount)
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
