"""The proteins: eleven shapes, each of test structures that no other shape has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from unseen.beads import Body, structure
from unseen.contacts import CONTACT_A, attached, closest, slid, stacked, surrounded
from unseen.nucleic import detergent, double_helix
from unseen.symmetry import group

#: Views: random; ``axis``: along and across the symmetry axis preferred; ``side``: mostly across.
Views = Literal["random", "axis", "side"]
#: What shape a protein has, as the corpus names its layouts.
Shape = Literal[
    "compact", "shell", "ring", "tube", "rod", "plate", "branched", "membrane", "nucleic"
]
X, Y, Z = np.eye(3)
FLIP = Rotation.from_rotvec(np.pi * X)


@dataclass(frozen=True)
class Protein:
    """A protein, or a complex and what is left of it when a part is missing.

    Parameters
    ----------
    whole
        Beads around their centre of mass; the symmetry axis along z.
    part
        The second species, or None.
    micelle
        An empty micelle, or None.
    names
        The test structures and chains it is made of.
    """

    name: str
    shape: Shape
    whole: Body
    symmetry: str
    views: Views
    names: tuple[str, ...]
    part: Body | None = None
    part_symmetry: str = "C1"
    micelle: Body | None = None

    @property
    def diameter_A(self) -> float:
        """Longest dimension, of the larger species."""
        return self.whole.diameter_A

    @property
    def species(self) -> dict[str, Body]:
        """Every body that counts as a particle, by name."""
        return {"whole": self.whole} | ({"part": self.part} if self.part is not None else {})


def turn_z(degrees: float) -> Rotation:
    """Return a rotation about the axis."""
    return Rotation.from_rotvec(np.deg2rad(degrees) * Z)


def tube() -> Protein:
    """Open barrel, D7, about 1.4 times as long as wide: four rings of seven."""
    names = ("1AK4.0", "1HE1.1")
    upper, lower = (structure(n) for n in names)

    def build(turn: Rotation) -> Body:
        inner = surrounded(upper.turned(turn), group("C7"), X)
        outer = surrounded(lower.turned(turn), group("C7"), X)
        half = stacked([inner, outer.turned(turn_z(13.0))])
        return stacked([half.turned(FLIP), half])

    body = closest(build, lambda b: abs(b.size(2) / b.width - 1.4), 1)
    return Protein("tube", "tube", body.centred, "D7", "axis", names)


def capped() -> Protein:
    """Closed tube as long as wide, D7: two rings of seven, either end closed by a smaller one."""
    names = ("2O8V.0", "1S1Q.0")
    wall, lid = (structure(n) for n in names)

    def build(turn: Rotation) -> Body:
        ring = surrounded(wall.turned(turn), group("C7"), X)
        cap = surrounded(lid.turned(turn), group("C7"), X)
        half = stacked([ring, cap.turned(turn_z(26.0))])
        return stacked([half.turned(FLIP), half])

    body = closest(build, lambda b: abs(b.size(2) / b.width - 1.0), 2)
    return Protein("capped", "tube", body.centred, "D7", "axis", names)


def flat_ring() -> Protein:
    """Flat ring of nine, as flat as the part allows."""
    names = ("1XD3.0",)
    unit = structure(names[0])
    body = closest(
        lambda turn: surrounded(unit.turned(turn), group("C9"), X),
        lambda b: b.size(2) / b.width,
        3,
    )
    return Protein("ring", "ring", body.centred, "C9", "axis", names)


def rod() -> Protein:
    """Rod of five parts, each turned against the one below, 4 to 5 times as long as wide."""
    names = ("1JTD.0",)
    unit = structure(names[0])

    def build(turn: Rotation) -> Body:
        part = unit.turned(turn)
        return stacked([part.turned(turn_z(48.0 * k)) for k in range(5)])

    body = closest(build, lambda b: abs(b.size(2) / b.centred.width - 4.5), 4)
    return Protein("rod", "rod", body.centred, "C1", "axis", names)


def plate() -> Protein:
    """Disc: a part, six about it and twelve about those, as flat as the part allows."""
    names = ("3PC8.0",)
    unit = structure(names[0])

    def build(turn: Rotation) -> Body:
        part = unit.turned(turn)
        inner = part + surrounded(part, group("C6"), X, inside=part)
        return inner + surrounded(part.turned(turn_z(90.0)), group("C12"), X, inside=inner)

    body = closest(build, lambda b: b.size(2) / b.width, 5)
    return Protein("plate", "plate", body.centred, "C6", "axis", names)


def three_arms() -> Protein:
    """Y of three unlike arms on a small core."""
    names = ("2O3B.1", "1FSK.0", "2OT3.0", "1IJK.0")
    core, *arms = (structure(n) for n in names)
    body = core
    for arm, angle in zip(arms, (90.0, 215.0, 330.0), strict=True):
        out = turn_z(angle)
        # The longest axis of the arm points outwards.
        lying = arm.along_axes().turned(Rotation.from_rotvec(np.pi / 2 * Y))
        body = body + attached(core, lying.turned(out), out.apply(X))
    return Protein("yshape", "branched", body.centred, "C1", "random", names)


def bent() -> Protein:
    """L of unlike parts: a long leg, and a shorter one at a right angle at its end."""
    names = ("1I4D.0", "1KXP.1", "1HE8.1")
    leg, foot, knob = (structure(n) for n in names)
    tall = leg.along_axes()
    low = tall.moved(-Z * tall.xyz[:, 2].min())
    lying = foot.along_axes().turned(Rotation.from_rotvec(np.pi / 2 * Y))
    lying = lying.moved(Z * 15.0)
    whole = low + slid(low, lying, X)
    whole = whole + attached(whole, knob, Z)
    return Protein("lshape", "branched", whole.centred, "C1", "random", names)


def cage() -> Protein:
    """Hollow cage of 24 parts, octahedral; of all orientations the hollowest."""
    names = ("2A5T.0",)
    unit = structure(names[0])

    def build(turn: Rotation) -> Body:
        return surrounded(unit.turned(turn), group("O"), np.array([0.25, 0.6, 1.0]))

    body = closest(build, lambda b: -np.linalg.norm(b.xyz, axis=1).min(), 8)
    return Protein("cage", "shell", body.centred, "O", "random", names)


def membrane() -> Protein:
    """Membrane protein along z, a detergent belt about its lower third; empty micelles about."""
    names = ("2FJU",)
    protein = structure(names[0]).along_axes()
    bead = float(protein.weight.mean())
    height = protein.xyz[:, 2].min() + 0.22 * protein.size(2)
    belt = detergent((44.0, 44.0, 22.0), bead).moved(Z * height)
    away, _ = cKDTree(protein.xyz).query(belt.xyz)
    body = protein + belt.keep(away > CONTACT_A)
    micelle = detergent((36.0, 36.0, 27.0), bead).centred
    return Protein("membrane", "membrane", body.centred, "C1", "random", names, micelle=micelle)


def on_dna() -> Protein:
    """Complex sitting on 44 base pairs of DNA, off its middle."""
    names = ("2NZ8", "1H9D")
    first, second = (structure(n) for n in names)
    dna = double_helix(44, float(first.weight.mean()))
    body = dna
    for part, shift, side in ((first, 22.0, Y), (second, -38.0, -Y)):
        here = Body(dna.xyz - shift * X, dna.weight)
        body = body + attached(here, part.along_axes(), side).moved(shift * X)
    return Protein("dna", "nucleic", body.centred, "C1", "random", names)


def two_species() -> Protein:
    """Complex, and the same without a part: about .77 of the size; both are particles."""
    names = ("1GLA", "4HX3.0")
    base, top = (structure(n) for n in names)

    def build(turn: Rotation) -> Body:
        return surrounded(base.turned(turn), group("C3"), X)

    def whole(body: Body) -> Body:
        return stacked([body, top.along_axes()])

    trimer = closest(build, lambda b: abs(b.diameter_A / whole(b).diameter_A - 0.77), 11)
    return Protein(
        "species",
        "compact",
        whole(trimer).centred,
        "C1",
        "random",
        names,
        part=trimer.centred,
        part_symmetry="C3",
    )


MAKERS: dict[str, Callable[[], Protein]] = {
    "tube": tube,
    "capped": capped,
    "ring": flat_ring,
    "rod": rod,
    "plate": plate,
    "yshape": three_arms,
    "lshape": bent,
    "cage": cage,
    "membrane": membrane,
    "dna": on_dna,
    "species": two_species,
}


@cache
def protein(name: str) -> Protein:
    """Return a protein by name; assembled once a process."""
    return MAKERS[name]()
