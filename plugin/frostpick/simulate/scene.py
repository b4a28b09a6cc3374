"""All objects of one micrograph, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.junk import (
    Clump,
    Crystal,
    Fragment,
    Speck,
    random_clumps,
    random_crystals,
    random_fragments,
    random_micelles,
    random_specks,
)
from frostpick.simulate.placement import (
    CarbonEdge,
    Ground,
    place_particles,
    random_carbon_edge,
)
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.views import preferred_angles, random_angles
from frostpick.simulate.settings import SimulationSettings
from frostpick.simulate.truth import PARTICLE, SimulatedTruth

Float = NDArray[np.float64]

_MICELLES = 6


@dataclass(frozen=True)
class Scene:
    """Particles ``(n, 2)`` with angles ``(n, 3)`` and amounts ``(n,)``, and the junk."""

    size: int
    diameter_px: float
    xy_px: Float
    angles: Float
    amounts: Float
    carbon: CarbonEdge | None
    crystals: list[Crystal]
    clumps: list[Clump]
    fragments: list[Fragment]
    specks: list[Speck]
    micelles: list[Fragment]

    def truth(self) -> SimulatedTruth:
        """Return the table of what is where; particles first."""
        nothing = np.zeros(3)
        rows: list[tuple[float, float, Float, str]] = [
            (x, y, a, PARTICLE) for (x, y), a in zip(self.xy_px, self.angles, strict=True)
        ]
        rows += [(f.x_px, f.y_px, f.angles, "fragment") for f in self.fragments]
        rows += [(m.x_px, m.y_px, m.angles, "free_micelle") for m in self.micelles]
        rows += [(c.x_px, c.y_px, nothing, "aggregate") for c in self.clumps]
        rows += [(s.x_px, s.y_px, nothing, "speck") for s in self.specks]
        rows += [(c.x_px, c.y_px, nothing, "ice_crystal") for c in self.crystals]
        x = np.array([r[0] for r in rows], np.float64)
        y = np.array([r[1] for r in rows], np.float64)
        angles = np.array([r[2] for r in rows], np.float64).reshape(-1, 3)
        border = np.minimum.reduce([x, y, self.size - 1 - x, self.size - 1 - y])
        return SimulatedTruth(
            x,
            y,
            angles[:, 0],
            angles[:, 1],
            angles[:, 2],
            edge=border < 0.5 * self.diameter_px,
            kind=np.array([r[3] for r in rows], dtype="<U12"),
        )


def random_scene(
    rng: np.random.Generator, protein: Protein, settings: SimulationSettings, index: int
) -> Scene:
    """Draw the objects of micrograph ``index``; every third micrograph has a carbon edge."""
    on_carbon = settings.carbon and (index + settings.seed) % 3 == 1
    edge = random_carbon_edge(rng, settings.size)  # always drawn: the rest stays the same
    carbon = edge if on_carbon else None
    ground = Ground(settings.size, carbon)
    crystals = random_crystals(rng, ground, settings)
    clumps = random_clumps(rng, ground, settings)
    fragments = random_fragments(rng, ground, settings, protein)
    specks = random_specks(rng, ground, settings)
    mean = settings.particles_per_micrograph
    xy_px = place_particles(
        rng,
        ground,
        max(0, round(mean * rng.uniform(0.6, 1.4))),
        settings.diameter_px,
        spacing=settings.spacing,
        crowding=settings.crowding,
    )
    n = len(xy_px)
    if settings.views == "preferred" and protein.preferred_views is not None:
        angles = preferred_angles(rng, n, protein.preferred_views)
    else:
        angles = random_angles(rng, n)
    micelles: list[Fragment] = []
    if settings.micelles:  # from random numbers of their own: the rest stays the same
        for x, y in xy_px:
            ground.take(x, y, 0.4 * settings.diameter_px)
        own = np.random.default_rng([settings.seed, 1 + index, _MICELLES])
        micelles = random_micelles(own, ground, settings, protein)
    return Scene(
        settings.size,
        settings.diameter_px,
        xy_px,
        angles,
        rng.uniform(0.85, 1.15, n),
        carbon,
        crystals,
        clumps,
        fragments,
        specks,
        micelles,
    )
