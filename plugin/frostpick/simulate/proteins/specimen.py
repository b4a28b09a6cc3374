"""A specimen of the corpus: one protein, its conformers, pieces and micelles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from frostpick.simulate.proteins.complexes import (
    as_protein,
    in_membrane,
    on_nucleic_acid,
    real_build,
)
from frostpick.simulate.proteins.filling import connected, filling, symmetry_matrices
from frostpick.simulate.proteins.layouts import LAYOUTS
from frostpick.simulate.proteins.membrane import (
    Detergent,
    empty_micelle,
    membrane_protein,
    random_detergent,
)
from frostpick.simulate.proteins.outline import range_of_extents
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.views import random_directions

Float = NDArray[np.float64]
Index = NDArray[np.int64]

CORPUS_FAMILIES = (*LAYOUTS, "membrane")
"""Made-up builds; `SHAPES` groups them with those of real chains."""

SHAPES: dict[str, float] = {
    "compact": 0.13,
    "ring": 0.09,
    "tube": 0.13,
    "rod": 0.12,
    "plate": 0.08,
    "shell": 0.07,
    "branched": 0.08,
    "nucleic": 0.07,
    "membrane": 0.23,
}
"""Shares of the corpus by shape."""

#: Made-up builds of a shape; one without any is made of real chains only.
_MADE_UP: dict[str, tuple[str, ...]] = {
    "compact": ("compact", "ball", "lobed", "tethered"),
    "ring": ("ring",),
    "tube": ("tube",),
    "rod": ("elongated",),
    "plate": ("plate",),
    "shell": ("hollow",),
    "branched": ("branched",),
    "membrane": ("membrane",),
}
_REAL = 0.55  # share of real chains where there are both

_CYCLIC = ("C1", "C1", "C2", "C3", "C4", "C5")
_SYMMETRIES: dict[str, tuple[str, ...]] = {
    "compact": ("C1", "C1", "C1", "C2", "C3", "C6", "D2", "D3", "D4", "T", "O"),
    "hollow": ("C1", "C4", "D3", "D5", "T", "O", "O", "I"),
    "ball": ("C1", "C2", "D3", "T", "O", "I"),
    "ring": ("C1", "C3", "C5", "C6", "C7", "C8", "C11", "D6", "D7"),
    "tube": ("C4", "C5", "C6", "C7", "D4", "D5", "D6", "D7", "D8"),
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
    second
        Another species on the same micrographs, whose particles count too; mostly none.
    extents_A
        Smallest and largest extent of the particle's views.
    shape
        One of `SHAPES`.
    """

    conformers: tuple[Protein, ...]
    copy_of: Index
    domain_of: Index
    micelles: tuple[Protein, ...] = ()
    second: Protein | None = None
    extents_A: tuple[float, float] = (0.0, np.inf)
    shape: str = ""

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
    rng: np.random.Generator,
    diameter_A: float,
    family: str | None = None,
    without: tuple[str, ...] = (),
) -> Specimen:
    """Return a specimen of random build and symmetry, of real chains or made up.

    Parameters
    ----------
    diameter_A
        Longest dimension of the first conformer in Angstrom.
    family
        One of `CORPUS_FAMILIES`, made up; drawn at random when None, shapes as in `SHAPES`.
    without
        Shapes that are not drawn.

    Raises
    ------
    ValueError
        An unknown shape in ``without``, or all of them.
    """
    if family is not None:
        shape = next(name for name, some in _MADE_UP.items() if family in some)
        return _completed(rng, made_up_specimen(rng, diameter_A, family), shape)
    unknown = set(without) - set(SHAPES)
    left = {name: share for name, share in SHAPES.items() if name not in without}
    if unknown or not left:
        raise ValueError(f"without {without}, expected some of {', '.join(SHAPES)}, not all")
    shares = np.array(list(left.values()))
    shape = str(rng.choice(list(left), p=shares / shares.sum()))
    if rng.random() < _REAL or shape not in _MADE_UP:
        return _completed(rng, real_specimen(rng, diameter_A, shape), shape)
    return _completed(
        rng, made_up_specimen(rng, diameter_A, str(rng.choice(_MADE_UP[shape]))), shape
    )


def _completed(rng: np.random.Generator, specimen: Specimen, shape: str) -> Specimen:
    return replace(specimen, extents_A=range_of_extents(rng, specimen.protein), shape=shape)


def another_protein(rng: np.random.Generator, own: Specimen, size: float) -> Protein:
    """Return another protein for the same micrographs, as dense and of blobs as wide.

    Parameters
    ----------
    size
        Its longest dimension, as a share of that of the first.
    """
    first = own.protein
    other = random_specimen(rng, size * first.diameter_A).protein
    # all blobs of a micrograph are equally wide: wider ones become a cloud of these
    wider = max(0.0, other.sigma_A**2 - first.sigma_A**2) ** 0.5
    cloud = 1 if size < 1 else 5
    positions = np.repeat(other.positions_A, cloud, axis=0)
    positions = positions + rng.normal(0, wider, positions.shape)
    mass = first.weights.sum() * size**3 / other.weights.sum() / cloud
    return replace(
        other,
        positions_A=positions,
        weights=np.repeat(other.weights, cloud) * mass,
        sigma_A=first.sigma_A,
    ).centred()


def with_second_species(rng: np.random.Generator, specimen: Specimen) -> Specimen:
    """Return the specimen with a second one: a large piece of it, or another protein.

    Both are particles to a picker that knows no more than a diameter; the stated one is that
    of the first.
    """
    if rng.random() < 0.5:
        piece = specimen.protein.piece(random_directions(rng, 1)[0], rng.uniform(0.6, 0.85))
        return replace(specimen, second=piece)
    return replace(specimen, second=another_protein(rng, specimen, rng.uniform(0.65, 1.0)))


def axis_views(rng: np.random.Generator) -> Float:
    """Return beam directions ``(m, 3)`` that particles of one sample prefer.

    Along the axis z, across it, both, or anywhere: a random direction is an axis view in
    6 of 100 particles, and at a surface of water often in most.
    """
    chance, turn = rng.random(), rng.uniform(0, 2 * np.pi)
    azimuth = turn + np.arange(6) * np.pi / 6
    across = np.column_stack([np.cos(azimuth), np.sin(azimuth), np.zeros(6)])
    along = np.array([[0.0, 0.0, 1.0]])
    if chance < 0.25:
        return along
    if chance < 0.5:
        return across
    if chance < 0.75:
        return np.concatenate([across, np.repeat(along, 6, axis=0)])
    return random_directions(rng, int(rng.integers(1, 4)))


def real_specimen(rng: np.random.Generator, diameter_A: float, shape: str) -> Specimen:
    """Return a specimen of real chains; ``shape`` is one of `SHAPES`."""
    if shape == "membrane":
        cloud, spacing, detergent, symmetry = in_membrane(rng)
        protein = as_protein(cloud, spacing, diameter_A, shape, symmetry, axis_views(rng))
        return _with_micelles(rng, protein, diameter_A, detergent)
    cloud, spacing = on_nucleic_acid(rng) if shape == "nucleic" else real_build(rng, shape)
    protein = as_protein(cloud, spacing, diameter_A, shape, "C1", axis_views(rng))
    parts = cloud.part
    conformers: tuple[Protein, ...] = (protein,)
    flexible = shape in ("compact", "branched", "nucleic") and 2 <= parts.max() + 1 < 8
    if flexible and rng.random() < 0.35:
        moves = parts == parts.max()
        conformers = _flexible(rng, protein, moves)
    return Specimen(conformers, parts, parts)


def made_up_specimen(rng: np.random.Generator, diameter_A: float, family: str) -> Specimen:
    """Return a made-up specimen; ``family`` is one of `CORPUS_FAMILIES`."""
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
    protein = Protein.of_diameter(
        diameter_A,
        positions,
        np.tile(weights, len(group)),
        spacing,
        family,
        symmetry,
        axis_views(rng),
    )
    domain_of = np.tile(owner, len(group))
    copy_of = np.repeat(np.arange(len(group)), len(unit))
    if central.any():  # neither copies nor domains are things that could come off
        domain_of, copy_of = np.full_like(domain_of, -1), np.full_like(copy_of, -1)
    moves = domain_of == len(radii) - 1
    conformers: tuple[Protein, ...] = (protein,)
    if family == "tethered" and len(group) == 1 and moves.any() and not moves.all():
        conformers = _flexible(rng, protein, moves)
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


def _flexible(
    rng: np.random.Generator, protein: Protein, moves: NDArray[np.bool_]
) -> tuple[Protein, ...]:
    """Return the protein and five more of its shapes."""
    return (protein, *(_bent(rng, protein, moves) for _ in range(5)))


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
    protein = replace(protein, preferred_views=axis_views(rng))
    return _with_micelles(rng, protein, diameter_A, detergent)


def _with_micelles(
    rng: np.random.Generator, protein: Protein, diameter_A: float, detergent: Detergent
) -> Specimen:
    # detergent is no subunit that could come off; pieces are cut by planes only
    none = np.full(len(protein.weights), -1, np.int64)
    sizes = rng.uniform(0.3, 0.68, 4) * diameter_A
    micelles = tuple(empty_micelle(rng, size, protein, detergent) for size in sizes)
    return Specimen((protein,), none, none, micelles)
