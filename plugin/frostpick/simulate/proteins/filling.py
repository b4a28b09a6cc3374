"""Fill round domains and their symmetry copies with blobs, evenly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation

from frostpick.simulate.proteins.views import random_directions

Float = NDArray[np.float64]

_BLOBS = 800


def symmetry_matrices(symmetry: str) -> Float:
    """Return the rotations of a point group, ``(g, 3, 3)``, the identity first.

    The axis of Cn and Dn is z.
    """
    name: Any = symmetry
    matrices = Rotation.create_group(name).as_matrix()
    order = np.argsort(-np.trace(matrices, axis1=1, axis2=2), kind="stable")
    return np.asarray(matrices[order])


def spread_directions(rng: np.random.Generator, n: int, group: Float) -> Float:
    """Return ``(n, 3)`` unit vectors, each the loneliest of 6 random ones among all copies."""
    taken = group @ random_directions(rng, 1)[0]
    chosen = [taken[0]]
    for _ in range(n - 1):
        candidates = random_directions(rng, 6)
        chosen.append(candidates[(candidates @ taken.T).max(1).argmin()])
        taken = np.concatenate([taken, group @ chosen[-1]])
    return np.array(chosen)


def connected(centres: Float, radii: Float, group: Float) -> bool:
    """Tell whether all domains and their copies hang together by more than a touch."""
    all_centres = np.einsum("gij,nj->gni", group, centres).reshape(-1, 3)
    all_radii = np.tile(radii, len(group))
    distance = np.linalg.norm(all_centres[:, None] - all_centres[None], axis=2)
    near = distance < 0.85 * (all_radii[:, None] + all_radii[None])
    parts: Any = connected_components(near, directed=False, return_labels=False)
    return bool(parts == 1)


def filling(
    rng: np.random.Generator, centres: Float, radii: Float, group: Float, *, probes: int = 8000
) -> tuple[Float, NDArray[np.int64], float]:
    """Fill one asymmetric unit evenly; domains that overlap are not denser.

    Parameters
    ----------
    centres, radii
        ``(d, 3)`` and ``(d,)``, the domains of the unit.
    group
        ``(g, 3, 3)`` rotations that make the copies, the identity first.
    probes
        Random points that measure the volume of the unit.

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
    probe = rng.uniform(low, high, (probes, 3))
    inside, _ = owners(probe, centres, radii, group)
    volume = float(np.prod(high - low)) * max(inside.mean(), 1e-3)
    spacing = (volume * len(group) / _BLOBS) ** (1 / 3)
    lattice = jittered_lattice(rng, low - spacing * rng.random(3), high, spacing)
    inside, owner = owners(lattice, centres, radii, group)
    return lattice[inside], owner[inside], spacing


def jittered_lattice(rng: np.random.Generator, low: Float, high: Float, spacing: float) -> Float:
    """Return points ``(n, 3)`` a spacing apart from ``low`` to ``high``, each a little off."""
    axes = [np.arange(a, b, spacing) for a, b in zip(low, high, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(lattice + rng.uniform(-0.3, 0.3, lattice.shape) * spacing)


def owners(
    points: Float, centres: Float, radii: Float, group: Float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Tell which points lie in the domains of this unit, not in a copy's, and in which one."""
    copies = np.einsum("gij,nj->gni", group, centres)  # copy 0 is the identity's
    depth = np.linalg.norm(points[:, None, None] - copies, axis=3) / radii
    nearest = depth.reshape(len(points), -1).argmin(1)
    best = depth.reshape(len(points), -1).min(1)
    inside = (best < 1.0) & (nearest < len(radii))
    return inside, (nearest % len(radii)).astype(np.int64)
