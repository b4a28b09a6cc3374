"""A specimen of the corpus: one made-up protein, its conformers, pieces and micelles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from frostpick.simulate.filling import connected, filling, symmetry_matrices
from frostpick.simulate.layouts import LAYOUTS
from frostpick.simulate.membrane import empty_micelle, membrane_protein, random_detergent
from frostpick.simulate.protein import SURFACE_SIGMAS, Protein, longest_distance
from frostpick.simulate.views import random_directions

Float = NDArray[np.float64]
Index = NDArray[np.int64]

CORPUS_FAMILIES = (*LAYOUTS, "membrane")

_CYCLIC = ("C1", "C1", "C2", "C3", "C4", "C5")
_SYMMETRIES: dict[str, tuple[str, ...]] = {
    "compact": ("C1", "C1", "C1", "C2", "C3", "C6", "D2", "D3", "D4", "T", "O"),
    "hollow": ("C1", "C4", "D3", "D5", "T", "O", "O", "I"),
    "ball": ("C1", "C2", "D3", "T", "O", "I"),
    "ring": ("C1", "C3", "C5", "C6", "C7", "C8", "C11", "D6", "D7"),
    "elongated": ("C1", "C1", "C2", "C3", "D2", "D3", "D7"),
    "branched": ("C1", "C1", "C1", "C2", "C3"),
    "lobed": ("C1", "C1", "C2", "C3", "D2"),
    "plate": ("C1", "C2", "C2", "D2", "C5"),
    "tethered": ("C1", "C1", "C2", "C3"),
    "membrane": _CYCLIC,
}


@dataclass(frozen=True)
class Specimen:
    """What is in the sample.

    Parameters
    ----------
    conformers
        The particle, and where it bends, some more of its shapes; all of the same blobs.
    copy_of, domain_of
        ``(n,)``, the symmetry copy and the domain of each blob; all -1 where only a plane can
        cut the particle.
    micelles
        Empty micelles of several sizes; none for most proteins.
    """

    conformers: tuple[Protein, ...]
    copy_of: Index
    domain_of: Index
    micelles: tuple[Protein, ...] = ()

    @property
    def protein(self) -> Protein:
        """The first conformer, whose longest dimension is the diameter."""
        return self.conformers[0]

    def fragment(self, rng: np.random.Generator) -> Protein:
        """Return a broken particle: cut by a plane, a few subunits, or a few domains."""
        protein = self.conformers[int(rng.integers(len(self.conformers)))]
        chance = rng.random()
        if chance < 0.5:  # all blobs are in units and domains, or (with detergent) none is
            parts = self.copy_of if chance < 0.25 else self.domain_of
            keep = _neighbours(rng, protein.positions_A, parts, rng.uniform(0.1, 0.6))
        else:
            keep = np.zeros(len(protein.weights), np.bool_)
        share = protein.weights[keep].sum() / protein.weights.sum() if keep.any() else 0.0
        if not 0.02 <= share <= 0.6 or keep.sum() < 8:
            return protein.piece(random_directions(rng, 1)[0], rng.uniform(0.2, 0.6))
        return replace(
            protein,
            positions_A=protein.positions_A[keep],
            weights=protein.weights[keep],
            family="piece",
        ).centred()


def random_specimen(
    rng: np.random.Generator, diameter_A: float, family: str | None = None
) -> Specimen:
    """Return a specimen of random build and symmetry.

    Parameters
    ----------
    diameter_A
        Longest dimension of the first conformer in Angstrom.
    family
        One of `CORPUS_FAMILIES`; drawn at random when None, membrane proteins three
        times as often as any other.
    """
    if family is None:
        family = str(rng.choice([*CORPUS_FAMILIES, "membrane", "membrane"]))
    symmetry = str(rng.choice(_SYMMETRIES[family]))
    group = symmetry_matrices(symmetry)
    if family == "membrane":
        return _in_membrane(rng, symmetry, group, diameter_A)
    centres, radii = LAYOUTS[family](rng, group)
    while not connected(centres, radii, group):
        radii *= 1.08
    unit, owner, spacing = filling(rng, centres, radii, group, probes=3000)
    # from even protein to the grain and the dense core of nucleic acid
    grain, contrast = rng.uniform(0.1, 0.6), rng.uniform(0.05, 0.4)
    weights = np.exp(rng.normal(0, contrast, len(radii)))[owner]
    weights = weights * np.exp(rng.normal(0, grain, len(unit)))
    central = np.linalg.norm(centres, axis=1) < 1e-9  # each copy has it again
    weights[central[owner]] /= len(group)
    positions = np.einsum("gij,nj->gni", group, unit).reshape(-1, 3)
    sigma = 0.55 * spacing
    scale = diameter_A / (longest_distance(positions) + 2 * SURFACE_SIGMAS * sigma)
    protein = Protein(
        positions * scale,
        np.tile(weights, len(group)),
        sigma * scale,
        family,
        symmetry,
        random_directions(rng, int(rng.integers(1, 4))),
    ).centred()
    domain_of = np.tile(owner, len(group))
    copy_of = np.repeat(np.arange(len(group)), len(unit))
    if central.any():  # neither copies nor domains are things that could come off
        domain_of, copy_of = np.full_like(domain_of, -1), np.full_like(copy_of, -1)
    moves = domain_of == len(radii) - 1
    conformers: tuple[Protein, ...] = (protein,)
    if family == "tethered" and len(group) == 1 and moves.any() and not moves.all():
        conformers = (protein, *(_bent(rng, protein, moves) for _ in range(5)))
    return Specimen(conformers, copy_of, domain_of)


def _neighbours(
    rng: np.random.Generator, positions: Float, parts: Index, share: float
) -> NDArray[np.bool_]:
    """Choose about ``share`` of the parts, all near a random one; at least one, never all."""
    names = np.unique(parts)  # a domain may be so small that it has no blob
    count = len(names)
    if count < 2:
        return np.zeros(len(parts), np.bool_)
    centres = np.array([positions[parts == p].mean(0) for p in names])
    away = np.linalg.norm(centres - centres[int(rng.integers(count))], axis=1)
    chosen = names[np.argsort(away)][: min(max(1, round(share * count)), count - 1)]
    return np.isin(parts, chosen)


def _bent(rng: np.random.Generator, protein: Protein, moves: NDArray[np.bool_]) -> Protein:
    """Return the protein with some blobs turned about the middle of the others."""
    hinge = protein.positions_A[~moves].mean(0)
    turn = np.deg2rad(rng.uniform(8, 35)) * random_directions(rng, 1)[0]
    positions = protein.positions_A.copy()
    positions[moves] = Rotation.from_rotvec(turn).apply(positions[moves] - hinge) + hinge
    return replace(protein, positions_A=positions).centred()


def _in_membrane(
    rng: np.random.Generator, symmetry: str, group: Float, diameter_A: float
) -> Specimen:
    detergent = random_detergent(rng)
    protein = membrane_protein(rng, symmetry, group, diameter_A, detergent)
    n = len(protein.weights)
    # detergent comes last and has one of two fixed weights; pieces are cut by planes only
    none = np.full(n, -1, np.int64)
    sizes = rng.uniform(0.35, 0.75, 4) * diameter_A
    micelles = tuple(empty_micelle(rng, size, protein, detergent) for size in sizes)
    return Specimen((protein,), none, none, micelles)
