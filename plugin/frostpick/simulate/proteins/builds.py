"""Assemblies of real chains: rings, tubes, rods, discs, cages, arms, complexes.

Chains of known structures are brought into contact under a random point group or along a
line, a plane or arms. Each build takes chains that are beads of one spacing (the contact
distance follows from it) and returns the whole particle, its axis along z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.proteins.clouds import (
    Cloud,
    about_z,
    copies,
    joined,
    random_turn,
    slid_onto,
    symmetric,
    touch,
    touch_copies,
)
from frostpick.simulate.proteins.filling import symmetry_matrices
from frostpick.simulate.proteins.views import random_directions

Float = NDArray[np.float64]
Generator = np.random.Generator
#: From chains and the contact distance to a whole particle.
Build = Callable[[Generator, Sequence[Cloud], float], Cloud]

X, Z = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
#: Half a turn about x: the twofold axis of Dn.
OVER = np.diag([1.0, -1.0, -1.0])


def _turned(rng: Generator, cloud: Cloud) -> Cloud:
    return cloud.moved(random_turn(rng))


def cyclic(unit: Cloud, n: int, gap: float) -> Cloud:
    """Return a ring of ``n`` copies that touch, around z."""
    return symmetric(unit, symmetry_matrices(f"C{n}"), X, gap)


def doubled(ring: Cloud, gap: float, twist: float, *, flipped: bool) -> Cloud:
    """Return a ring on a second one, turned by ``twist`` and, for Dn, upside down."""
    other = ring.moved(OVER if flipped else None).moved(about_z(twist))
    return joined([slid_onto(ring, other, Z, gap), other])


def stacked(ring: Cloud, storeys: int, gap: float, twist: float) -> Cloud:
    """Return storeys of a ring, each turned by ``twist`` against the one below."""
    floors = [ring]
    for storey in range(1, storeys):
        floors.append(slid_onto(ring.moved(about_z(storey * twist)), floors[-1], Z, gap))
    return joined(floors)


def _height(cloud: Cloud) -> float:
    return float(np.ptp(cloud.positions[:, 2]))


def _width(cloud: Cloud) -> float:
    return float(2 * np.hypot(cloud.positions[:, 0], cloud.positions[:, 1]).max())


def as_long(
    one: Cloud, ratio: float, gap: float, twist: float, *, step: float, storeys: tuple[int, int]
) -> Cloud:
    """Return so many storeys that they are about ``ratio`` times as long as wide.

    Parameters
    ----------
    step
        Least height that a storey counts for, in gaps.
    storeys
        Fewest and most.
    """
    above = touch(one.moved(about_z(twist)).positions, one.positions, Z, gap)
    wanted = (ratio * _width(one) - _height(one)) / max(above, step * gap)
    return stacked(one, int(np.clip(round(wanted) + 1, *storeys)), gap, twist)


def ring(rng: Generator, chains: Sequence[Cloud], gap: float) -> Cloud:
    """Return one or two storeys of C4 to C12."""
    n = int(rng.integers(4, 13))
    one = cyclic(_turned(rng, chains[0]), n, gap)
    if rng.random() < 0.4:
        one = doubled(one, gap, rng.uniform(0, 2 * np.pi / n), flipped=rng.random() < 0.7)
    return one


def tube(rng: Generator, chains: Sequence[Cloud], gap: float) -> Cloud:
    """Return an open tube, 1.1 to 2.4 times as long as wide."""
    n = int(rng.integers(5, 10))
    one = cyclic(_turned(rng, chains[0]), n, gap)
    if rng.random() < 0.5:
        one = doubled(one, gap, rng.uniform(0, 2 * np.pi / n), flipped=True)
    ratio = rng.uniform(1.1, 2.4)
    twist = rng.uniform(0, 2 * np.pi / n)
    return as_long(one, ratio, gap, twist, step=1e-3, storeys=(1, 8))


def rod(rng: Generator, chains: Sequence[Cloud], gap: float) -> Cloud:
    """Return a line of one chain or of pairs, 2 to 5 times as long as wide."""
    n = int(rng.choice([1, 1, 2, 3]))
    unit = chains[0].lying_along(2) if rng.random() < 0.6 else _turned(rng, chains[0])
    one = cyclic(unit, n, gap)
    twist = rng.uniform(0, 2 * np.pi)
    line = as_long(one, rng.uniform(2.0, 5.0), gap, twist, step=0.3, storeys=(2, 12))
    return doubled(line, gap, 0.0, flipped=True) if rng.random() < 0.25 else line


def disc(rng: Generator, chains: Sequence[Cloud], gap: float) -> Cloud:
    """Return a flat particle: chains in one plane, filled in the middle."""
    flat = [c.lying_along(int(rng.integers(2))) for c in chains]
    if rng.random() < 0.5:
        n = int(rng.integers(3, 8))
        unit = flat[0].moved(about_z(rng.uniform(0, 2 * np.pi)))
        if n < 6:  # no room for anything in the middle
            return cyclic(unit, n, gap)
        group = symmetry_matrices(f"C{n}")
        away = touch_copies(unit.positions, group[1:], X, gap)
        away = max(away, touch(unit.positions, flat[-1].positions, X, gap))
        return joined([flat[-1], copies(unit.moved(by=away * X), group)])
    placed = flat[0]
    for _ in range(int(rng.integers(4, 12))):
        angle = rng.uniform(0, 2 * np.pi)
        inward = np.array([np.cos(angle), np.sin(angle), 0.0])
        one = flat[int(rng.integers(len(flat)))].moved(about_z(rng.uniform(0, 2 * np.pi)))
        placed = joined([placed, slid_onto(one, placed, inward, gap)])
    return placed


def cage(rng: Generator, chains: Sequence[Cloud], gap: float) -> Cloud:
    """Return a hollow shell of T, O, I or a high Dn."""
    symmetry = str(rng.choice(["T", "O", "O", "I", "D4", "D5", "D6"]))
    unit, direction = _turned(rng, chains[0]), random_directions(rng, 1)[0]
    return symmetric(unit, symmetry_matrices(symmetry), direction, gap)


def compact(rng: Generator, chains: Sequence[Cloud], gap: float) -> Cloud:
    """Return a complex of 1 to 4 chains, alone or under a small point group."""
    whole = _turned(rng, chains[0])
    for chain in chains[1 : int(rng.integers(1, 5))]:
        whole = joined(
            [whole, slid_onto(_turned(rng, chain), whole, random_directions(rng, 1)[0], gap)]
        )
    whole = whole.moved(by=-whole.positions.mean(0))
    symmetry = str(rng.choice(["C1", "C1", "C1", "C2", "C2", "C3", "C4", "D2", "D2", "D3", "D4"]))
    direction = random_directions(rng, 1)[0] * [1.0, 1.0, 0.4]
    direction /= np.linalg.norm(direction)
    return symmetric(whole, symmetry_matrices(symmetry), direction, gap)


def branched(rng: Generator, chains: Sequence[Cloud], gap: float) -> Cloud:
    """Return two to four unlike arms at a hub: L, Y, T, tripods, flat or not."""
    arms = int(rng.choice([2, 2, 3, 3, 3, 4]))
    start, flat = rng.uniform(0, 2 * np.pi), rng.random() < 0.6
    between = rng.uniform(1.2, 2.0) if arms == 2 else 2 * np.pi / arms
    whole = _turned(rng, chains[0])
    for arm in range(arms):
        angle = start + arm * between + rng.normal(0, 0.25)
        out = np.array([np.cos(angle), np.sin(angle), 0.0 if flat else rng.normal(0, 0.6)])
        out /= np.linalg.norm(out)
        for _ in range(int(rng.integers(1, 4))):
            one = chains[int(rng.integers(len(chains)))].lying_along(0).moved(_towards(out))
            whole = joined([whole, slid_onto(one, whole, out, gap)])
    return whole


def _towards(out: Float) -> Float:
    """Return a rotation that takes x to the unit vector ``out``."""
    aside = np.cross(out, Z if abs(out[2]) < 0.9 else X)
    aside /= np.linalg.norm(aside)
    return np.column_stack([out, aside, np.cross(out, aside)])


#: By shape, as in `frostpick.simulate.proteins.layouts`.
BUILDS: dict[str, Build] = {
    "compact": compact,
    "ring": ring,
    "tube": tube,
    "rod": rod,
    "plate": disc,
    "shell": cage,
    "branched": branched,
}
