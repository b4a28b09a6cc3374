"""Double-stranded nucleic acid as beads: straight, bent, or wound around a protein."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.proteins.clouds import Cloud

Float = NDArray[np.float64]
Generator = np.random.Generator

#: Of B-DNA: Angstrom a base pair, radius of the helix, angle a base pair (10.5 to a turn).
RISE_A, RADIUS_A, TURN = 3.4, 10.0, 2 * np.pi / 10.5
#: Scattering weight of a base pair and its sugars and phosphates: 41 heavy atoms of about 15.5.
PAIR_WEIGHT = 41 * 15.5
#: Radius and pitch of the superhelix of a nucleosome in Angstrom (Luger et al. 1997).
SUPERHELIX_A, PITCH_A = 41.8, 23.9


def double_helix(rng: Generator, line: Float) -> Cloud:
    """Return the beads of a double helix along a line, six a base pair.

    Parameters
    ----------
    line
        ``(n, 3)``, the axis in Angstrom, `RISE_A` between neighbours.
    """
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    aside = np.cross(tangent, [0.31, 0.52, 0.79])
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    across = np.cross(tangent, aside)
    angle = rng.uniform(0, 2 * np.pi) + np.arange(len(line)) * TURN
    beads = []
    # two strands, most of the minor groove's 140 degrees apart, and the bases between them
    for phase, radius in ((0.0, 1.0), (2.4, 1.0), (1.2, 0.4), (0.0, 0.5), (2.4, 0.5), (4.3, 0.4)):
        turn = angle + phase
        out = np.cos(turn)[:, None] * aside + np.sin(turn)[:, None] * across
        beads.append(line + 0.9 * RADIUS_A * radius * out)
    positions = np.concatenate(beads)
    weights = np.full(len(positions), PAIR_WEIGHT / len(beads))
    return Cloud(positions, weights, np.zeros(len(positions), np.int64))


def bent_line(rng: Generator, length_A: float) -> Float:
    """Return a straight or evenly bent axis along y, its middle at the origin."""
    n = max(4, round(length_A / RISE_A))
    bend = rng.uniform(0, 2.2) if rng.random() < 0.6 else 0.0
    heading = np.linspace(-0.5, 0.5, n) * bend
    steps = RISE_A * np.column_stack([np.sin(heading), np.cos(heading), np.zeros(n)])
    line = np.cumsum(steps, axis=0)
    return np.asarray(line - line[n // 2])


def wound_line(rng: Generator, radius_A: float) -> Float:
    """Return a superhelix about z of 1.2 to 2 turns and that radius, with straight ends."""
    turns = rng.uniform(1.2, 2.0)
    n = round(2 * np.pi * radius_A * turns / RISE_A)
    angle = np.linspace(-np.pi * turns, np.pi * turns, n)
    line = np.column_stack(
        [radius_A * np.cos(angle), radius_A * np.sin(angle), PITCH_A * angle / (2 * np.pi)]
    )
    m = int(rng.integers(0, 15))
    before = line[0] - np.arange(m, 0, -1)[:, None] * (line[1] - line[0])
    after = line[-1] + np.arange(1, m + 1)[:, None] * (line[-1] - line[-2])
    return np.concatenate([before, line, after])
