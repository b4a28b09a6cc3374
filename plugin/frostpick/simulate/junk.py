"""What a picker must not take: crystals, carbon, clumps, broken particles, specks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.placement import Ground
from frostpick.simulate.proteins.membrane import empty_micelle
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.views import random_angles, random_directions
from frostpick.simulate.settings import SimulationSettings

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Crystal:
    """A crystal of ice: a convex polygon of about six sides, in pixels.

    ``normals`` ``(m, 2)`` and ``distances`` ``(m,)`` are those of its sides;
    ``contrast`` is its brightness in standard deviations of the noise.
    """

    x_px: float
    y_px: float
    normals: Float
    distances: Float
    contrast: float

    def depth_px(self, x: Float, y: Float) -> Float:
        """Return how deep in the crystal a place is; negative outside."""
        dx, dy = x - self.x_px, y - self.y_px
        depth = np.full(np.broadcast(dx, dy).shape, np.inf)
        for (nx, ny), distance in zip(self.normals, self.distances, strict=True):
            np.minimum(depth, distance - nx * dx - ny * dy, out=depth)
        return depth


@dataclass(frozen=True)
class Clump:
    """Particles lying over one another: their centres ``(n, 2)`` in pixels, and angles."""

    x_px: float
    y_px: float
    xy_px: Float
    angles: Float


@dataclass(frozen=True)
class Fragment:
    """A part of a particle, or an empty micelle, with its own centre of mass."""

    x_px: float
    y_px: float
    piece: Protein
    angles: Float


@dataclass(frozen=True)
class Speck:
    """A small, very dark round thing."""

    x_px: float
    y_px: float
    radius_px: float


def random_crystals(
    rng: np.random.Generator, ground: Ground, settings: SimulationSettings
) -> list[Crystal]:
    """Return 0 to a few crystals of 0.6 to 1.6 diameters in radius; one in five is bright."""
    crystals = []
    for _ in range(rng.poisson(1.2) if settings.ice_crystals else 0):
        radius = settings.diameter_px * rng.uniform(0.6, 1.6)
        angles = rng.uniform(0, 2 * np.pi) + np.arange(6) * np.pi / 3 + rng.normal(0, 0.12, 6)
        place = ground.find(rng, 1.15 * radius)
        if place is None:
            continue
        contrast = rng.uniform(1.5, 2.5) if rng.random() < 0.2 else -rng.uniform(1.0, 3.5)
        normals = np.column_stack([np.cos(angles), np.sin(angles)])
        distances = radius * rng.uniform(0.7, 1.0, 6)
        crystals.append(Crystal(*place, normals, distances, float(contrast)))
    return crystals


def random_clumps(
    rng: np.random.Generator, ground: Ground, settings: SimulationSettings
) -> list[Clump]:
    """Return 0 to a few clumps of 3 to 9 particles, a walk in steps of 0.35 to 0.65 diameters."""
    clumps = []
    for _ in range(rng.poisson(1.8) if settings.aggregates else 0):
        n = int(rng.integers(3, 10))
        turn = rng.uniform(-np.pi, np.pi) + np.cumsum(rng.normal(0, 1.2, n))
        step = settings.diameter_px * rng.uniform(0.35, 0.65, n)
        walk = np.cumsum(np.column_stack([np.cos(turn), np.sin(turn)]) * step[:, None], axis=0)
        walk -= walk.mean(0)
        reach = float(np.linalg.norm(walk, axis=1).max()) + 0.5 * settings.diameter_px
        place = ground.find(rng, reach)
        if place is not None:
            clumps.append(Clump(*place, walk + np.array(place), random_angles(rng, n)))
    return clumps


def random_fragments(
    rng: np.random.Generator, ground: Ground, settings: SimulationSettings, protein: Protein
) -> list[Fragment]:
    """Return some pieces of 35 to 60 % of the particle, cut by a random plane."""
    fragments = []
    for _ in range(rng.poisson(5.0) if settings.fragments else 0):
        piece = protein.piece(random_directions(rng, 1)[0], rng.uniform(0.35, 0.6))
        place = ground.find(rng, 0.5 * piece.diameter_A / settings.pixel_size_A)
        if place is not None:
            fragments.append(Fragment(*place, piece, random_angles(rng, 1)[0]))
    return fragments


def random_micelles(
    rng: np.random.Generator, ground: Ground, settings: SimulationSettings, protein: Protein
) -> list[Fragment]:
    """Return empty micelles of 0.4 to 0.7 diameters, about one to every four particles."""
    micelles = []
    for _ in range(rng.poisson(2.0 + 0.25 * settings.particles_per_micrograph)):
        micelle = empty_micelle(rng, settings.diameter_A * rng.uniform(0.4, 0.7), protein)
        place = ground.find(rng, 0.5 * micelle.diameter_A / settings.pixel_size_A)
        if place is not None:
            micelles.append(Fragment(*place, micelle, random_angles(rng, 1)[0]))
    return micelles


def random_specks(
    rng: np.random.Generator, ground: Ground, settings: SimulationSettings
) -> list[Speck]:
    """Return some specks of 12 to 25 Angstrom in radius, at least a pixel and a half."""
    specks = []
    for _ in range(rng.poisson(2.5) if settings.specks else 0):
        radius = max(1.5, float(rng.uniform(12.0, 25.0)) / settings.pixel_size_A)
        place = ground.find(rng, radius)
        if place is not None:
            specks.append(Speck(*place, radius))
    return specks
