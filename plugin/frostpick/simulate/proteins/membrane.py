"""Membrane proteins in a belt of detergent or a nanodisc, and the empty micelles about them.

A belt is a flat ring around the part of the protein that spans the membrane. Head
groups are denser than protein and the alkyl chains inside lighter than water: 0.45 to
0.55, 0.26 to 0.28 and 0.334 electrons per cubic Angstrom (Lipfert et al. 2007, J. Phys.
Chem. B 111, 12427). So a micelle is seen as a ring, and a belt as a double rim.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.proteins.filling import filling, jittered_lattice, owners, spread_directions
from frostpick.simulate.proteins.protein import BLOB, SURFACE_SIGMAS, Protein
from frostpick.simulate.proteins.views import random_directions

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Detergent:
    """Densities over that of water, where that of protein is 1, and the share of the heads.

    ``rim`` is the thickness of the shell of head groups over half that of the micelle.
    """

    heads: float = 1.3
    chains: float = -0.3
    rim: float = 0.32


DETERGENT = Detergent()
"""What there is when nothing else is asked for."""


def random_detergent(rng: np.random.Generator) -> Detergent:
    """Return a detergent, a polymer or a nanodisc, whose chains may be hidden by its width."""
    return Detergent(rng.uniform(0.8, 1.6), rng.uniform(-0.5, 0.25), rng.uniform(0.25, 0.45))


@dataclass(frozen=True)
class Belt:
    """A ring of detergent around z: outer radius and half the height, any unit."""

    radius: float
    half_height: float

    def density(self, points: Float, detergent: Detergent) -> Float:
        """Return the density at ``(n, 3)`` points, 0 outside."""
        depth = self.depth(points)
        rim = detergent.rim * self.half_height
        return np.where(depth < 0, 0.0, np.where(depth < rim, detergent.heads, detergent.chains))

    def lattice(self, rng: np.random.Generator, spacing: float) -> Float:
        """Return points ``(n, 3)`` a spacing apart, over all of the belt and the hole in it."""
        reach = np.array([self.radius, self.radius, self.half_height])
        return jittered_lattice(rng, -reach, reach, spacing)

    def depth(self, points: Float) -> Float:
        """Return the depth in the belt, ``(n,)``: a disc whose rim is half a circle."""
        across = np.hypot(points[:, 0], points[:, 1]) - (self.radius - self.half_height)
        return self.half_height - np.hypot(np.maximum(across, 0.0), points[:, 2])


def membrane_domains(rng: np.random.Generator, group: Float) -> tuple[Float, Float, Belt]:
    """Return the domains of one unit of a Cn group, and the belt, where a radius is about 1."""
    half = rng.uniform(0.2, 0.32)
    n = max(2, round(8 / len(group)))
    bundle = spread_directions(rng, n, group) * rng.uniform(0.1, 0.3)
    bundle[:, 2] = rng.uniform(-half, half, n)
    centres, radii = [bundle], [rng.uniform(0.14, 0.24, n)]
    # soluble parts on one face, or a small one on the other too; sometimes next to none
    for side, largest in ((1.0, 5), (-1.0, int(rng.integers(0, 3)))):
        m = int(rng.integers(0 if side < 0 else 1, largest + 1)) if largest else 0
        for storey in range(m):
            height = half + 0.12 + 0.2 * storey + rng.uniform(0, 0.1)
            place = spread_directions(rng, 1, group)[0] * rng.uniform(0.05, 0.45)
            place[2] = side * height
            centres.append(place[None])
            radii.append(rng.uniform(0.18, 0.32, 1))
    reach = float(np.hypot(bundle[:, 0], bundle[:, 1]).max()) + 0.2
    return (
        np.concatenate(centres),
        np.concatenate(radii),
        Belt(reach + rng.uniform(0.16, 0.4), half + rng.uniform(0.0, 0.06)),
    )


def membrane_protein(
    rng: np.random.Generator,
    symmetry: str,
    group: Float,
    diameter_A: float,
    detergent: Detergent = DETERGENT,
) -> Protein:
    """Return a membrane protein with its belt; ``diameter_A`` includes the belt.

    Parameters
    ----------
    symmetry, group
        C1, C2, ..., and its rotations: the axis stands upright in the membrane.

    detergent
        Of the belt.

    Raises
    ------
    ValueError
        The group has an axis that would turn the membrane over.
    """
    if (group[:, 2, 2] < 0.999).any():
        raise ValueError(f"symmetry {symmetry} of a membrane protein; expected C1, C2, ...")
    centres, radii, belt = membrane_domains(rng, group)
    unit, owner, spacing = filling(rng, centres, radii, group, probes=3000)
    weights = rng.uniform(0.8, 1.25, len(radii))[owner] * rng.uniform(0.6, 1.4, len(unit))
    protein = np.einsum("gij,nj->gni", group, unit).reshape(-1, 3)
    lattice = belt.lattice(rng, spacing)
    everything = np.einsum("gij,nj->gni", group, centres).reshape(-1, 3)
    inside, _ = owners(lattice, everything, np.tile(radii, len(group)), np.eye(3)[None])
    density = np.where(inside, 0.0, belt.density(lattice, detergent))
    ring = lattice[density != 0]
    positions = np.concatenate([protein, ring])
    return Protein.of_diameter(
        diameter_A,
        positions,
        np.concatenate([np.tile(weights, len(group)), density[density != 0]]),
        spacing,
        "membrane",
        symmetry,
        # on edge and from above
        np.concatenate([random_directions(rng, 1) * [1, 1, 0.2], [[0.0, 0.0, 1.0]]]),
    )


def empty_micelle(
    rng: np.random.Generator,
    diameter_A: float,
    like: Protein,
    detergent: Detergent = DETERGENT,
) -> Protein:
    """Return a micelle with nothing in it: a flattened shell of head groups.

    Parameters
    ----------
    diameter_A
        Its longest dimension.
    like
        Its blobs are as wide as those of this protein, and as close to one another.
    """
    spacing = like.sigma_A / BLOB
    radius = max(0.5 * diameter_A - SURFACE_SIGMAS * like.sigma_A, 1.9 * spacing)
    axes = radius * np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.55, 0.9)])
    lattice = jittered_lattice(rng, -axes, axes + spacing, spacing)
    r = np.linalg.norm(lattice / axes, axis=1)
    weights = np.where(r < 1 - detergent.rim, detergent.chains, detergent.heads)[r <= 1.0]
    return Protein(lattice[r <= 1.0], weights, like.sigma_A, "micelle").centred()
