"""Layouts of domains for the specimens of the corpus, in units where a radius is about 1.

Each returns centres ``(d, 3)`` and radii ``(d,)`` of one asymmetric unit; the axis of a
point group is z. Together they cover rings, rods, balls, shells, plates, branched,
two-lobed and tethered particles, from narrow to four times as long as wide.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.proteins.filling import spread_directions
from frostpick.simulate.proteins.views import random_directions

Float = NDArray[np.float64]
Layout = Callable[[np.random.Generator, Float], tuple[Float, Float]]


def _count(rng: np.random.Generator, low: int, high: int, group: Float) -> int:
    return max(1, round(int(rng.integers(low, high + 1)) / len(group)))


def compact(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return a filled, bumpy particle, sometimes flattened or drawn out along z."""
    n = max(2, _count(rng, 6, 30, group))
    centres = spread_directions(rng, n, group)
    centres *= (rng.uniform(0.5, 0.75) * rng.uniform(0.05, 1.0, n) ** (1 / 3))[:, None]
    centres[:, 2] *= rng.uniform(0.6, 1.5)
    return centres, rng.uniform(0.2, 0.45, n)


def shell(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return a hollow cage."""
    n = max(1, _count(rng, 24, 70, group))
    centres = spread_directions(rng, n, group) * rng.uniform(0.72, 0.88, n)[:, None]
    return centres, rng.uniform(0.1, 0.26, n)


def ball(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return a round body with bumps on its surface."""
    n = _count(rng, 4, 24, group)
    centres = np.concatenate([np.zeros((1, 3)), spread_directions(rng, n, group) * 0.8])
    return centres, np.concatenate([[0.8], rng.uniform(0.12, 0.3, n)])


def ring(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return a ring of one to three storeys; without symmetry, of unlike domains."""
    around = max(1, round(int(rng.integers(5, 13)) / len(group)))
    storeys = int(rng.integers(1, 4))
    angle = (np.arange(around) + rng.uniform(-0.15, 0.15, around)) * 2 * np.pi
    angle /= around * len(group)
    centres, radii = [], []
    for storey in range(storeys):
        radius, twist = rng.uniform(0.55, 0.85), rng.uniform(0, 1)
        z = np.full(around, (storey - (storeys - 1) / 2) * rng.uniform(0.35, 0.6))
        centres.append(
            np.column_stack([radius * np.cos(angle + twist), radius * np.sin(angle + twist), z])
        )
        radii.append(rng.uniform(0.16, 0.3, around))
    return np.concatenate(centres), np.concatenate(radii)


def tube(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return an open tube, 1.1 to 2.4 times as long as wide."""
    dihedral = bool(np.allclose(group[:, 2, 2].sum(), 0)) and len(group) > 1
    around = max(1, round(int(rng.integers(7, 13)) / (len(group) / 2 if dihedral else len(group))))
    ratio = rng.uniform(1.1, 2.4)
    outer = 1 / np.sqrt(1 + ratio**2)  # a diagonal of about 1
    thick = outer * rng.uniform(0.16, 0.32)
    radius, half = outer - thick, ratio * outer - thick
    storeys = max(2, round(2 * half / (1.5 * thick)))
    heights = np.linspace(-half, half, storeys)
    heights = heights[heights > 0] if dihedral else heights
    twist, n = rng.uniform(-0.4, 0.4), len(group) / 2 if dihedral else len(group)
    centres, radii = [], []
    for storey, z in enumerate(heights):
        angle = (np.arange(around) / (around * n)) * 2 * np.pi + storey * twist
        bulge = radius * rng.uniform(0.85, 1.1)
        centres.append(
            np.column_stack([bulge * np.cos(angle), bulge * np.sin(angle), np.full(around, z)])
        )
        radii.append(thick * rng.uniform(0.8, 1.25, around))
    return np.concatenate(centres), np.concatenate(radii)


def rod(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return a rod, straight or bent, up to about four times as long as wide."""
    n = max(3, _count(rng, 6, 14, group))
    half = len(group) > 1 and np.allclose(group[:, 2, 2].sum(), 0)
    z = np.linspace(0.06 if half else -0.85, 0.85, n) + rng.uniform(-0.05, 0.05, n)
    aside = spread_directions(rng, n, group) * rng.uniform(0.05, 0.25)
    aside[:, 2] = 0
    bend = rng.uniform(0, 0.4) if len(group) == 1 else 0.0
    centres = aside + np.column_stack([bend * z * z, np.zeros(n), z])
    return centres, rng.uniform(0.7, 1.2, n) * rng.uniform(0.15, 0.32)


def branched(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return a hub with two to four arms of unlike length: L, Y, T and tripods."""
    arms = int(rng.integers(2, 5)) if len(group) == 1 else 1
    directions = spread_directions(rng, arms, group)
    if rng.random() < 0.5:  # flat, as most antibodies lie
        directions[:, 2] *= 0.2
    centres, radii = [np.zeros((1, 3))], [rng.uniform(0.18, 0.35, 1)]
    for direction in directions:
        n = int(rng.integers(2, 5))
        along = rng.uniform(0.5, 1.0) * (np.arange(n) + 1) / n
        kinks = np.cumsum(rng.normal(0, 0.07, (n, 3)), axis=0)
        centres.append(along[:, None] * direction + kinks)
        radii.append(rng.uniform(0.14, 0.3, n))
    return np.concatenate(centres), np.concatenate(radii)


def lobes(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return two or a few large lobes of unlike size with a waist or a cleft."""
    n = max(1, round(int(rng.integers(2, 5)) / len(group)))
    centres = spread_directions(rng, n, group) * rng.uniform(0.4, 0.65, n)[:, None]
    extra = int(rng.integers(0, 4))
    centres = np.concatenate([centres, random_directions(rng, extra) * rng.uniform(0.5, 0.8)])
    return centres, np.concatenate([rng.uniform(0.3, 0.55, n), rng.uniform(0.1, 0.25, extra)])


def plate(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return a flat round particle, filled, as a nucleosome or a stacked plate."""
    n = max(2, round(10 / len(group)))
    angle = (np.arange(n) + rng.uniform(-0.2, 0.2, n)) * 2 * np.pi / (n * len(group))
    centres = np.column_stack([0.68 * np.cos(angle), 0.68 * np.sin(angle), np.zeros(n)])
    centres[:, 2] = rng.uniform(-0.12, 0.12, n)
    return (
        np.concatenate([np.zeros((1, 3)), centres]),
        np.concatenate([rng.uniform(0.3, 0.45, 1), rng.uniform(0.24, 0.34, n)]),
    )


def tethered(rng: np.random.Generator, group: Float) -> tuple[Float, Float]:
    """Return a compact core and, last, one small domain some way off on each copy."""
    n = max(2, round(10 / len(group)))
    core = spread_directions(rng, n, group) * rng.uniform(0.1, 0.45, n)[:, None]
    far = spread_directions(rng, 1, group) * rng.uniform(0.8, 1.05)
    radii = np.concatenate([rng.uniform(0.2, 0.35, n), rng.uniform(0.16, 0.3, 1)])
    return np.concatenate([core, far]), radii


LAYOUTS: dict[str, Layout] = {
    "compact": compact,
    "hollow": shell,
    "ball": ball,
    "ring": ring,
    "tube": tube,
    "elongated": rod,
    "branched": branched,
    "lobed": lobes,
    "plate": plate,
    "tethered": tethered,
}
