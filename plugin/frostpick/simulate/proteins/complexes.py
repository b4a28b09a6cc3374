"""Specimens of real chains: assemblies, membrane proteins in a belt, proteins on DNA."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from frostpick.simulate.draws import log_uniform
from frostpick.simulate.proteins.builds import BUILDS, cyclic
from frostpick.simulate.proteins.clouds import (
    CONTACT,
    Cloud,
    coarse,
    joined,
    random_turn,
    slid_onto,
    spacing_for,
)
from frostpick.simulate.proteins.membrane import Belt, Detergent, random_detergent
from frostpick.simulate.proteins.nucleic import SUPERHELIX_A, bent_line, double_helix, wound_line
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.structures import Chain, chains
from frostpick.simulate.proteins.views import random_directions

Float = NDArray[np.float64]
Generator = np.random.Generator

#: Blobs of a whole particle, about.
BLOBS = 800
#: Contrast of nucleic acid over that of as much matter of protein in water.
NUCLEIC = (1.2, 2.0)


def real_build(rng: Generator, shape: str) -> tuple[Cloud, float]:
    """Return a particle of the corpus's chains, of one of `BUILDS`, and the spacing of its beads.

    The build is made twice: with few beads to see how many chains it takes, then with as
    many as give about `BLOBS`.
    """
    drawn = [_chain(rng) for _ in range(4)]
    seed = int(rng.integers(2**63))
    spacing = spacing_for(drawn[0].positions_A, drawn[0].weights, 40.0)
    for _ in range(2):
        made = BUILDS[shape](
            np.random.default_rng(seed), _coarse(drawn, spacing), CONTACT * spacing
        )
        found = len(made.weights)
        if 0.7 * BLOBS < found < 1.4 * BLOBS:
            break
        spacing *= float(np.clip((found / BLOBS) ** 0.4, 0.45, 1.6))
    return made, spacing


def _chain(rng: Generator) -> Chain:
    found = chains("corpus")
    return found[int(rng.integers(len(found)))]


def _coarse(drawn: Sequence[Chain], spacing: float) -> list[Cloud]:
    return [coarse(chain.positions_A, chain.weights, spacing) for chain in drawn]


def on_nucleic_acid(rng: Generator) -> tuple[Cloud, float]:
    """Return chains on a piece of DNA, or DNA wound around them, and the spacing."""
    wound = rng.random() < 0.3
    drawn = [_chain(rng) for _ in range(int(rng.integers(1, 5)))]
    reach = max(np.linalg.norm(chain.positions_A, axis=1).max() for chain in drawn)
    if wound:
        radius = float(np.clip(rng.normal(SUPERHELIX_A, 6.0), 30.0, 60.0))
        line = wound_line(rng, radius)
    else:
        line = bent_line(rng, float(reach * rng.uniform(1.5, 4.0)))
    acid = double_helix(rng, line)
    amount = log_uniform(rng, *NUCLEIC)
    everything = np.concatenate([acid.positions, *(c.positions_A for c in drawn)])
    spacing = spacing_for(
        np.concatenate([c.positions_A for c in drawn]),
        np.concatenate([c.weights for c in drawn]),
        0.6 * BLOBS,
    )
    spacing = max(spacing, float(np.ptp(everything, axis=0).max()) / 45)
    whole = coarse(acid.positions, amount * acid.weights, spacing)
    gap = CONTACT * spacing
    for number, chain in enumerate(_coarse(drawn, spacing)):
        one = chain.moved(random_turn(rng))
        if wound and number == 0:  # the core, within the turns
            whole = joined([whole, one])
            continue
        inward = random_directions(rng, 1)[0]
        at = whole.positions[int(rng.integers(len(whole.weights)))] * [0.0, 0.6, 0.0]
        whole = joined([whole, slid_onto(one.moved(by=at), whole, inward, gap)])
    return whole, spacing


def in_membrane(rng: Generator) -> tuple[Cloud, float, Detergent, str]:
    """Return chains in a belt of detergent: the cloud, spacing, detergent and symmetry.

    The detergent is the last part. Its beads have the density of `Belt`; chains stand upright
    with a soluble part on one or both faces, or none.
    """
    n = int(rng.choice([1, 1, 1, 2, 3, 4, 5]))
    drawn = sorted((_chain(rng) for _ in range(2)), key=lambda c: -len(c.weights))
    spacing = spacing_for(drawn[0].positions_A, drawn[0].weights, 0.5 * BLOBS / n)
    gap = CONTACT * spacing
    upright = _coarse(drawn[:1], spacing)[0].lying_along(2)
    protein = cyclic(upright.moved(_leaning(rng)), n, gap)
    if rng.random() < 0.7:  # a soluble partner on one face
        other = cyclic(_coarse(drawn[1:], spacing)[0].moved(random_turn(rng)), n, gap)
        face = np.array([0.0, 0.0, 1.0 if rng.random() < 0.5 else -1.0])
        protein = joined([protein, slid_onto(other, protein, face, gap)])
    z = protein.positions[:, 2]
    half = rng.uniform(16.0, 22.0)  # half of a bilayer or a micelle in Angstrom
    low, high = z.min() + half, z.max() - half
    middle = rng.uniform(low, high) if low < high else z.mean()
    protein = protein.moved(by=np.array([0.0, 0.0, -middle]))
    within = np.abs(protein.positions[:, 2]) < half
    across = np.hypot(protein.positions[:, 0], protein.positions[:, 1])
    bundle = float(np.quantile(across[within], 0.9)) if within.any() else spacing
    belt = Belt(bundle + rng.uniform(8.0, 24.0), half)
    detergent = random_detergent(rng)
    ring = _belt_beads(rng, belt, detergent, protein, spacing)
    return joined([protein, ring]), spacing, detergent, f"C{n}"


def _leaning(rng: Generator) -> Float:
    """Return a small tilt, any turn about z and, half the time, upside down."""
    over = np.pi if rng.random() < 0.5 else 0.0
    angles = [rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25) + over, rng.uniform(0, 2 * np.pi)]
    return np.asarray(Rotation.from_euler("zyz", angles).as_matrix())


def _belt_beads(
    rng: Generator, belt: Belt, detergent: Detergent, protein: Cloud, spacing: float
) -> Cloud:
    lattice = belt.lattice(rng, spacing)
    away, _ = cKDTree(protein.positions).query(lattice)
    density = np.where(away < 0.8 * spacing, 0.0, belt.density(lattice, detergent))
    kept = density != 0
    # a bead of protein is a cell that is full or nearly so
    full = float(np.quantile(protein.weights, 0.7))
    return Cloud(lattice[kept], full * density[kept], np.zeros(int(kept.sum()), np.int64))


def as_protein(
    cloud: Cloud, spacing: float, diameter_A: float, family: str, symmetry: str, views: Float | None
) -> Protein:
    """Return the cloud as blobs, scaled to its longest dimension, centred.

    A blob that is full of protein has a mass of about 1, as those of micelles and belts expect.
    """
    full = float(np.quantile(cloud.weights[cloud.weights > 0], 0.7))
    return Protein.of_diameter(
        diameter_A, cloud.positions, cloud.weights / full, spacing, family, symmetry, views
    )
