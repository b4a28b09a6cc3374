"""Make up a protein: round domains that touch, a point group, and an even filling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.proteins.filling import (
    connected,
    filling,
    spread_directions,
    symmetry_matrices,
)
from frostpick.simulate.proteins.membrane import membrane_protein
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.views import random_directions
from frostpick.simulate.settings import FAMILIES, SimulationSettings

Float = NDArray[np.float64]

_CYCLIC = ("C1", "C1", "C2", "C3", "C4")
_ANY_SYMMETRY = ("C1", "C1", "C1", "C2", "C2", "C3", "C4", "C6", "D2", "D3", "D7", "T", "O")
# family: domains of the whole particle, and their radii where its own radius is about 1
_DOMAINS: dict[str, tuple[int, float, float]] = {
    "compact": (14, 0.28, 0.42),
    "hollow": (48, 0.16, 0.24),
    "elongated": (10, 0.22, 0.36),
    "lobed": (6, 0.22, 0.45),
}


def random_protein(settings: SimulationSettings) -> Protein:
    """Return the protein of a data set; it depends on seed, family, symmetry and diameter."""
    rng = np.random.default_rng([settings.seed, 0])
    family = settings.family if settings.family != "any" else str(rng.choice(FAMILIES))
    symmetries = _CYCLIC if family == "membrane" else _ANY_SYMMETRY
    symmetry = settings.symmetry if settings.symmetry != "any" else str(rng.choice(symmetries))
    group = symmetry_matrices(symmetry)
    if family == "membrane":
        return membrane_protein(rng, symmetry, group, settings.diameter_A)

    centres, radii = _domains(rng, family, group, dihedral=symmetry.startswith("D"))
    unit, owner, spacing = filling(rng, centres, radii, group)
    weights = rng.uniform(0.75, 1.3, len(radii))[owner] * rng.uniform(0.6, 1.4, len(unit))
    # copy g of blob i is at row g * len(unit) + i
    positions = np.einsum("gij,nj->gni", group, unit).reshape(-1, 3)
    return Protein.of_diameter(
        settings.diameter_A,
        positions,
        np.tile(weights, len(group)),
        spacing,
        family,
        symmetry,
        random_directions(rng, 2),
    )


def _domains(
    rng: np.random.Generator, family: str, group: Float, *, dihedral: bool
) -> tuple[Float, Float]:
    """Centres ``(d, 3)`` and radii ``(d,)`` of one asymmetric unit of a connected particle."""
    total, smallest, largest = _DOMAINS[family]
    n = max(2, round(total / len(group)))
    directions = spread_directions(rng, n, group)
    if family == "compact":
        centres = directions * (0.62 * rng.uniform(0.05, 1.0, n) ** (1 / 3))[:, None]
    elif family == "hollow":
        centres = directions * rng.uniform(0.74, 0.84, n)[:, None]
    elif family == "elongated":
        along = np.linspace(0.1 if dihedral else -0.75, 0.75, n) + rng.uniform(-0.08, 0.08, n)
        centres = directions * np.array([0.2, 0.2, 0.0]) + along[:, None] * np.array([0, 0, 1.0])
    else:
        centres = directions * rng.uniform(0.35, 0.75, n)[:, None]
    radii = rng.uniform(smallest, largest, n)
    while not connected(centres, radii, group):
        radii *= 1.08
    return centres, radii
