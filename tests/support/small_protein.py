"""A made-up protein on small, clean micrographs, for tests of whole jobs."""

from __future__ import annotations

from frostpick.simulate import SimulationSettings

DIAMETER_A = 140.0


def small_protein(micrographs: int) -> SimulationSettings:
    """Return so many micrographs of 352 pixels with 25 of a protein of 140 A, and no junk."""
    return SimulationSettings(
        family="compact",
        symmetry="D2",
        diameter_A=DIAMETER_A,
        seed=5,
        size=352,
        micrographs=micrographs,
        particles_per_micrograph=25,
        fragments=False,
        aggregates=False,
        carbon=False,
    )
