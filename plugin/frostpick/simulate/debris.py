"""Protein on a corpus micrograph that is no particle: broken, clumped, empty, foreign, dust."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.camera.conditions import Conditions
from frostpick.simulate.crowd import Points
from frostpick.simulate.draws import log_uniform
from frostpick.simulate.ice.layers import Decoy
from frostpick.simulate.proteins.outline import view_outline
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.specimen import Specimen, another_protein
from frostpick.simulate.proteins.views import random_angles, random_directions

Float = NDArray[np.float64]
Generator = np.random.Generator

_KINDS = ("aggregate", "fragment", "free_micelle")


@dataclass
class Debris:
    """Points of each kind of junk, the decoys among them, and faint dust that is not marked."""

    conditions: Conditions
    specimen: Specimen
    points: dict[str, Points] = field(default_factory=lambda: {k: Points() for k in _KINDS})
    decoys: list[Decoy] = field(default_factory=list)
    dust: Points = field(default_factory=Points)

    def place(self, rng: Generator) -> Float:
        """Return a random place: column and row on the canvas."""
        ny, nx = self.conditions.canvas
        return rng.uniform(0, 1, 2) * (nx - 1, ny - 1)

    def add(self, rng: Generator, kind: str, what: Protein, xy: Float, amount: float) -> None:
        """Add one piece in a random orientation, and its row in the truth."""
        angles = random_angles(rng, 1)[0]
        self.points[kind].add(what, angles, xy, self.conditions.pixel_size_A, amount)
        extent = float("nan")  # parts of clumps and strands have no outline of their own
        if kind != "aggregate":
            extent = view_outline(what, angles)[0] / self.conditions.pixel_size_A
        self.decoys.append(Decoy(float(xy[0]), float(xy[1]), kind, extent))

    def add_stretches(self, places: Float) -> None:
        """Add the rows of a strand, ``(n, 2)``, whose points are drawn already."""
        self.decoys += [Decoy(float(x), float(y), "aggregate") for x, y in places]


def random_debris(rng: Generator, specimen: Specimen, conditions: Conditions) -> Debris:
    """Return the junk of a micrograph; each kind is missing from a third of them or more."""
    debris = Debris(conditions, specimen)
    areas = conditions.canvas[0] * conditions.canvas[1] / conditions.diameter_px**2
    for _ in range(rng.poisson(1.8) if rng.random() < 0.65 else 0):
        _clump(rng, debris)
    if rng.random() < 0.05:
        for _ in range(int(rng.integers(1, 4))):
            _strand(rng, debris)
    if rng.random() < 0.03:
        for _ in range(int(rng.integers(1, 5))):
            _vesicle(rng, debris)
    for _ in range(rng.poisson(log_uniform(rng, 3e-3, 0.06) * areas) if rng.random() < 0.65 else 0):
        piece = specimen.fragment(rng)
        debris.add(rng, "fragment", piece, debris.place(rng), rng.uniform(0.7, 1.15))
    if rng.random() < 0.1:
        _foreign(rng, debris, areas)
    if specimen.micelles and rng.random() < 0.8:
        for _ in range(rng.poisson(log_uniform(rng, 0.01, 0.2) * areas)):
            micelle = specimen.micelles[int(rng.integers(len(specimen.micelles)))]
            debris.add(rng, "free_micelle", micelle, debris.place(rng), rng.uniform(0.8, 1.2))
    if rng.random() < 0.12:
        _dust(rng, debris, areas)
    return debris


def _clump(rng: Generator, debris: Debris) -> None:
    """Add 2 to 30 particles over one another, or shapeless matter of as much protein."""
    n = int(rng.integers(2, 5)) if rng.random() < 0.5 else round(log_uniform(rng, 4.0, 30.0))
    step = debris.conditions.diameter_px * rng.uniform(0.3, 0.65)
    shapeless = rng.random() < 0.4
    places = [debris.place(rng)]
    for _ in range(n - 1):
        angle, away = rng.uniform(0, 2 * np.pi), step * rng.uniform(0.8, 1.2)
        start = places[int(rng.integers(max(0, len(places) - 6), len(places)))]
        places.append(start + away * np.array([np.cos(angle), np.sin(angle)]))
    amount = rng.uniform(0.6, 1.8) if shapeless else rng.uniform(0.85, 1.15)
    for place in places:
        if shapeless:
            place = place + rng.normal(0, 0.15 * debris.conditions.diameter_px, 2)
            debris.add(rng, "aggregate", debris.specimen.fragment(rng), place, amount)
        else:
            debris.add(rng, "aggregate", debris.specimen.protein, place, amount)


def _strand(rng: Generator, debris: Debris) -> None:
    """Add a filament or a thread of nucleic acid across the micrograph."""
    d = debris.conditions.diameter_px
    step, width = 0.04 * d, log_uniform(rng, 0.03, 0.35) * d
    n = int(rng.uniform(3, 20) * d / step)
    stiffness = log_uniform(rng, 0.001, 0.08)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, stiffness, n))
    line = np.cumsum(np.column_stack([np.cos(heading), np.sin(heading)]) * step, axis=0)
    _thread(rng, debris, debris.place(rng) + line, heading, width)


def _vesicle(rng: Generator, debris: Debris) -> None:
    """Add a round vesicle of lipid: a circle twice to eight times as wide as the particle."""
    d = debris.conditions.diameter_px
    radius = log_uniform(rng, 1.0, 4.0) * d
    n = int(2 * np.pi * radius / (0.04 * d))
    angle = np.arange(n) * 2 * np.pi / n
    oval = radius * np.column_stack([np.cos(angle), rng.uniform(0.7, 1.0) * np.sin(angle)])
    width = max(2.0, rng.uniform(35, 50) / debris.conditions.pixel_size_A)
    _thread(rng, debris, debris.place(rng) + oval, angle + np.pi / 2, width)


def _thread(rng: Generator, debris: Debris, line: Float, heading: Float, width: float) -> None:
    """Spread points over the width of a line; a row in the truth every diameter along it."""
    d = debris.conditions.diameter_px
    n, each = len(line), max(2, int(rng.uniform(0.5, 1.2) * width / d * 60))
    across = width * 0.5 * np.cos(rng.uniform(0, np.pi, (n, each)))
    normal = np.column_stack([-np.sin(heading), np.cos(heading)])
    cloud = line[:, None] + across[..., None] * normal[:, None]
    mass = float(np.median(debris.specimen.protein.weights)) * rng.uniform(0.6, 1.5)
    points = debris.points["aggregate"]
    points.xy_px.append(cloud.reshape(-1, 2))
    points.weights.append(np.full(n * each, mass))
    every = 25  # points lie a twenty-fifth of a diameter apart
    debris.add_stretches(line[every // 2 :: every])


def _foreign(rng: Generator, debris: Debris, areas: float) -> None:
    """Add another protein, clearly smaller or clearly larger than the particle."""
    small = rng.random() < 0.6
    size = rng.uniform(0.3, 0.55) if small else rng.uniform(1.7, 2.5)
    other = another_protein(rng, debris.specimen, size)
    for _ in range(rng.poisson(log_uniform(rng, 2e-3, 0.04 if small else 0.008) * areas) + 1):
        kind = "fragment" if small else "aggregate"
        debris.add(rng, kind, other, debris.place(rng), rng.uniform(0.8, 1.2))


def _dust(rng: Generator, debris: Debris, areas: float) -> None:
    """Add faint bits of protein everywhere, as unfolded protein at the surface of the water."""
    protein = debris.specimen.protein
    shares = rng.uniform(0.05, 0.2, 6)
    pieces = [protein.piece(n, f) for n, f in zip(random_directions(rng, 6), shares, strict=True)]
    amount = rng.uniform(0.2, 0.7)
    n = rng.poisson(rng.uniform(0.1, 1.0) * areas)
    for which, angles in zip(rng.integers(len(pieces), size=n), random_angles(rng, n), strict=True):
        xy = debris.place(rng)
        debris.dust.add(pieces[which], angles, xy, debris.conditions.pixel_size_A, amount)
