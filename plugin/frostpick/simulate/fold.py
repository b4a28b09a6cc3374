"""Make up a protein: round domains that touch, a point group, and an even filling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation

from frostpick.simulate.protein import SURFACE_SIGMAS, Protein, longest_distance
from frostpick.simulate.settings import FAMILIES, SimulationSettings
from frostpick.simulate.views import random_directions

Float = NDArray[np.float64]

_ANY_SYMMETRY = ("C1", "C1", "C1", "C2", "C2", "C3", "C4", "C6", "D2", "D3", "D7", "T", "O")
_BLOBS = 800
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
    symmetry = settings.symmetry if settings.symmetry != "any" else str(rng.choice(_ANY_SYMMETRY))
    group = symmetry_matrices(symmetry)

    centres, radii = _domains(rng, family, group, dihedral=symmetry.startswith("D"))
    unit, owner, spacing = _filling(rng, centres, radii, group)
    weights = rng.uniform(0.75, 1.3, len(radii))[owner] * rng.uniform(0.6, 1.4, len(unit))
    # copy g of blob i is at row g * len(unit) + i
    positions = np.einsum("gij,nj->gni", group, unit).reshape(-1, 3)
    # sigma is a share of the distance of the blobs, and both scale with the diameter
    sigma = 0.55 * spacing
    scale = settings.diameter_A / (longest_distance(positions) + 2 * SURFACE_SIGMAS * sigma)
    return Protein(
        positions * scale,
        np.tile(weights, len(group)),
        sigma * scale,
        family,
        symmetry,
        random_directions(rng, 2),
    ).centred()


def symmetry_matrices(symmetry: str) -> Float:
    """Return the rotations of a point group, ``(g, 3, 3)``, the identity first.

    The axis of Cn and Dn is z.
    """
    name: Any = symmetry
    matrices = Rotation.create_group(name).as_matrix()
    order = np.argsort(-np.trace(matrices, axis1=1, axis2=2), kind="stable")
    return np.asarray(matrices[order])


def _domains(
    rng: np.random.Generator, family: str, group: Float, *, dihedral: bool
) -> tuple[Float, Float]:
    """Centres ``(d, 3)`` and radii ``(d,)`` of one asymmetric unit of a connected particle."""
    total, smallest, largest = _DOMAINS[family]
    n = max(2, round(total / len(group)))
    directions = _spread_directions(rng, n, group)
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
    while not _connected(centres, radii, group):
        radii *= 1.08
    return centres, radii


def _spread_directions(rng: np.random.Generator, n: int, group: Float) -> Float:
    """Return ``(n, 3)`` unit vectors, each the loneliest of 6 random ones among all copies."""
    taken = group @ random_directions(rng, 1)[0]
    chosen = [taken[0]]
    for _ in range(n - 1):
        candidates = random_directions(rng, 6)
        chosen.append(candidates[(candidates @ taken.T).max(1).argmin()])
        taken = np.concatenate([taken, group @ chosen[-1]])
    return np.array(chosen)


def _connected(centres: Float, radii: Float, group: Float) -> bool:
    """Tell whether all domains and their copies hang together by more than a touch."""
    all_centres = np.einsum("gij,nj->gni", group, centres).reshape(-1, 3)
    all_radii = np.tile(radii, len(group))
    distance = np.linalg.norm(all_centres[:, None] - all_centres[None], axis=2)
    near = distance < 0.85 * (all_radii[:, None] + all_radii[None])
    parts: Any = connected_components(near, directed=False, return_labels=False)
    return bool(parts == 1)


def _filling(
    rng: np.random.Generator, centres: Float, radii: Float, group: Float
) -> tuple[Float, NDArray[np.int64], float]:
    """Fill one asymmetric unit evenly; domains that overlap are not denser.

    Returns
    -------
    points
        ``(n, 3)``, on a lattice with jitter, nearer to a domain of this unit than to
        those of its copies.
    owner
        ``(n,)``, the domain of each point.
    spacing
        Distance of neighbours on the lattice.
    """
    low, high = (centres - radii[:, None]).min(0), (centres + radii[:, None]).max(0)
    probe = rng.uniform(low, high, (8000, 3))
    inside, _ = _own(probe, centres, radii, group)
    volume = float(np.prod(high - low)) * max(inside.mean(), 1e-3)
    spacing = (volume * len(group) / _BLOBS) ** (1 / 3)
    start = low - spacing * rng.random(3)
    axes = [np.arange(a, b, spacing) for a, b in zip(start, high, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    lattice += rng.uniform(-0.3, 0.3, lattice.shape) * spacing
    inside, owner = _own(lattice, centres, radii, group)
    return lattice[inside], owner[inside], spacing


def _own(
    points: Float, centres: Float, radii: Float, group: Float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Tell which points lie in the domains of this unit, not in a copy's, and in which one."""
    copies = np.einsum("gij,nj->gni", group, centres)  # copy 0 is the identity's
    depth = np.linalg.norm(points[:, None, None] - copies, axis=3) / radii
    nearest = depth.reshape(len(points), -1).argmin(1)
    best = depth.reshape(len(points), -1).min(1)
    inside = (best < 1.0) & (nearest < len(radii))
    return inside, (nearest % len(radii)).astype(np.int64)
