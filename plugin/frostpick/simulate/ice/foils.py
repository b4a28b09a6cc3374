"""What the ice hangs on: foils of carbon and gold with their holes, bars, thin supports, no ice.

Contrasts are in standard deviations of the noise, as in `frostpick.simulate.ice.layers`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.camera.conditions import Conditions
from frostpick.simulate.draws import log_uniform
from frostpick.simulate.ice.fields import smooth_field
from frostpick.simulate.ice.films import lattice
from frostpick.simulate.ice.layers import Decoy, Layers
from frostpick.simulate.truth import MASK_LABELS

Image = NDArray[np.float32]
Generator = np.random.Generator

_EDGES = 0.23  # share of micrographs with a foil and its edge
_COVERED = 0.02  # and of those with nothing else
_NO_ICE = 0.012


def draw_carbon(
    rng: Generator, layers: Layers, conditions: Conditions, *, often: float = 1.0
) -> bool:
    """Draw carbon film or gold; return whether it covers everything.

    ``often`` multiplies the share of micrographs that it covers.
    """
    chance = rng.random()
    if chance > _EDGES + _COVERED * often:
        return False
    everything = chance < _COVERED * often
    shape = (layers.mask.shape[0], layers.mask.shape[1])
    d = conditions.diameter_px
    depth = np.full(shape, 1e3, np.float32) if everything else _foil(rng, shape, d)
    cover = np.clip(depth / 2 + 0.5, 0, 1)
    gold = rng.random() < 0.22
    darkness = rng.uniform(5, 14) if gold else log_uniform(rng, 0.15, 3.2)
    if not gold and rng.random() < 0.06:
        darkness = -rng.uniform(0.3, 1.0)
    relief = np.ones(shape, np.float32)
    for octave in range(int(rng.integers(0, 4))):  # clumps of the film at several scales
        strength = rng.uniform(0.02, 0.3) / (1 + octave)
        relief += np.float32(strength) * smooth_field(rng, shape, d * rng.uniform(0.15, 1.5))
    layers.absorbed -= np.float32(darkness) * cover * relief
    # gold lets next to nothing through: its fringes are those of an opaque edge, much stronger
    step = log_uniform(rng, 2.0, 25.0) if gold else rng.uniform(0.5, 4.0)
    layers.phase += np.float32(step * (1 if darkness > 0 else -1)) * cover
    layers.texture += np.float32(rng.uniform(0.3, 2.0)) * cover
    if not everything:
        _rim(rng, layers, depth, d)
    layers.mask[depth > 0] = MASK_LABELS["carbon"]
    return everything


def _foil(rng: Generator, shape: tuple[int, int], d: float) -> Image:
    """Return how far inside the foil a pixel is, in pixels; negative in a hole."""
    ny, nx = shape
    size = 0.5 * (nx + ny)
    angle = rng.uniform(-np.pi, np.pi)
    c, s = np.cos(angle), np.sin(angle)
    y = np.arange(ny, dtype=np.float32)[:, None] - np.float32(0.5 * ny)
    x = np.arange(nx, dtype=np.float32)[None, :] - np.float32(0.5 * nx)
    kind = rng.choice(["edge", "two holes", "small holes", "bar"], p=[0.76, 0.12, 0.07, 0.05])
    if kind == "edge":  # of a hole, a straight one, or all of a small hole
        radius = 2 * size * rng.choice([0.3, rng.uniform(0.4, 1.2), 50.0], p=[0.15, 0.65, 0.2])
        nearest = 0.5 * (abs(c) * nx + abs(s) * ny) - size * rng.uniform(0.08, 0.45)
        depth = np.hypot(x - c * (nearest - radius), y - s * (nearest - radius)) - radius
    elif kind == "two holes":  # the foil between them is thinnest in the middle
        radius, half = size * rng.uniform(0.5, 2.0), size * rng.uniform(0.03, 0.25)
        shift = size * rng.uniform(-0.25, 0.25)
        along = x * np.float32(c) + y * np.float32(s) - np.float32(shift)
        across = y * np.float32(c) - x * np.float32(s)
        depth = np.hypot(np.abs(along) - np.float32(radius + half), across) - radius
    elif kind == "small holes":
        period = size * rng.uniform(0.4, 1.1)
        along = x * np.float32(c) + y * np.float32(s) + np.float32(rng.uniform(0, period))
        across = y * np.float32(c) - x * np.float32(s) + np.float32(rng.uniform(0, period))
        along -= np.float32(period) * np.round(along / np.float32(period))
        across -= np.float32(period) * np.round(across / np.float32(period))
        depth = np.hypot(along, across) - period * rng.uniform(0.32, 0.46)
    else:  # a bar or a fold of the foil
        half, shift = size * log_uniform(rng, 0.02, 0.15), size * rng.uniform(-0.35, 0.35)
        depth = half - np.abs(x * np.float32(c) + y * np.float32(s) - np.float32(shift))
    rough = rng.uniform(0.0, 0.25) * d
    return np.asarray(depth + np.float32(rough) * smooth_field(rng, shape, d), np.float32)


def _rim(rng: Generator, layers: Layers, depth: Image, d: float) -> None:
    """Draw what edges of holes have: a thick lip, Fresnel fringes, crystals that grow inward."""
    if rng.random() < 0.4:  # a lip, dark and with a bright line on either side
        width = log_uniform(rng, 1.0, 0.25 * d)
        lip = np.exp(-np.square((depth - np.float32(width)) / np.float32(width)))
        layers.absorbed -= np.float32(log_uniform(rng, 0.5, 5.0)) * lip
        layers.phase += np.float32(log_uniform(rng, 1.0, 12.0)) * lip
    if rng.random() < 0.12:
        _feathers(rng, layers, depth, d)
    if rng.random() < 0.12:  # charged: rings that follow the edge and fade with the distance
        period, reach = d * rng.uniform(0.15, 0.6), d * rng.uniform(0.5, 2.0)
        # the distance of a Fresnel fringe goes with the root of its number
        off = np.maximum(-depth, 0)
        wave = np.cos(np.square(off / np.float32(2 * period)) * np.float32(2 * np.pi))
        fade = np.exp(-off / np.float32(reach)) * (depth < 0)
        layers.absorbed += np.float32(rng.uniform(0.3, 1.5)) * wave * fade


def _feathers(rng: Generator, layers: Layers, depth: Image, d: float) -> None:
    """Draw crystals on the edge of a foil, striped along the direction of growth."""
    shape = (depth.shape[0], depth.shape[1])
    reach = d * rng.uniform(0.5, 3.0) * np.maximum(smooth_field(rng, shape, 1.5 * d) + 0.2, 0)
    inside = (depth < 0) & (-depth < reach)
    if not inside.any():
        return
    down, across = np.gradient(depth[::8, ::8])
    turn = np.arctan2(down.mean(), across.mean())
    ny, nx = shape
    y = np.arange(ny, dtype=np.float32)[:, None]
    x = np.arange(nx, dtype=np.float32)[None, :]
    along = y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))
    bend = np.float32(0.3 * d) * smooth_field(rng, shape, 0.7 * d)
    stripes = np.cos((along + bend) * np.float32(2 * np.pi / (d * rng.uniform(0.06, 0.3))))
    stripes *= smooth_field(rng, shape, 0.5 * d)
    soft = np.clip((reach + depth) / np.float32(rng.uniform(1.0, 0.5 * d)), 0, 1) * inside
    strength = np.float32(log_uniform(rng, 0.5, 3.0))
    layers.absorbed -= strength * soft * (np.float32(0.8) - stripes)
    layers.phase += strength * soft
    layers.mask[inside] = MASK_LABELS["ice_crystal"]
    places = np.argwhere(inside)
    for row, column in places[rng.integers(len(places), size=4)].tolist():
        layers.decoys.append(Decoy(float(column), float(row), "ice_crystal"))


def draw_support(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw a thin film that carries the particles: texture all over, creases, no mask.

    Carbon, graphene and its oxide with wrinkles and flakes that lie double, and now and then
    a lattice, as of streptavidin crystals.
    """
    if rng.random() > 0.1:
        return
    shape = (layers.mask.shape[0], layers.mask.shape[1])
    d = conditions.diameter_px
    layers.texture += np.float32(rng.uniform(0.1, 0.8))
    for _ in range(int(rng.integers(0, 3))):
        size = d * rng.uniform(0.2, 2.0)
        layers.absorbed += np.float32(rng.uniform(0.05, 0.25)) * smooth_field(rng, shape, size)
    for _ in range(int(rng.integers(0, 6))):
        away = _wavy_line(rng, layers, d)
        crease = np.clip(rng.uniform(1.0, 3.0) - np.abs(away), 0, 1)
        fades = np.clip(smooth_field(rng, shape, 3 * d) + 1, 0, 1) if rng.random() < 0.5 else 1.0
        layers.phase += np.float32(rng.uniform(0.3, 2.5)) * crease * fades
        layers.absorbed -= np.float32(rng.uniform(0.0, 0.8)) * crease * fades
    for _ in range(int(rng.integers(1, 3)) if rng.random() < 0.3 else 0):
        flake = np.clip(_wavy_line(rng, layers, d) + 0.5, 0, 1)
        layers.absorbed -= np.float32(rng.uniform(0.05, 0.5)) * flake
        layers.phase += np.float32(rng.uniform(0.2, 2.0)) * flake
        layers.texture += np.float32(rng.uniform(0.0, 0.3)) * flake
    if rng.random() < 0.12:
        period = max(2.3, rng.uniform(25.0, 90.0) / conditions.pixel_size_A)
        waves = lattice(rng, shape, period, int(rng.integers(2, 4)))
        layers.phase += np.float32(log_uniform(rng, 0.05, 0.4)) * waves


def _wavy_line(rng: Generator, layers: Layers, d: float) -> Image:
    """Return the signed distance from a line that wanders, ``(ny, nx)`` in pixels."""
    turn, (x, y) = rng.uniform(0, 2 * np.pi), layers.place(rng)
    ny, nx = layers.mask.shape
    rows = np.arange(ny, dtype=np.float32)[:, None] - np.float32(y)
    columns = np.arange(nx, dtype=np.float32)[None, :] - np.float32(x)
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    away = columns * c + rows * s
    if rng.random() < 0.6:
        length, height = d * rng.uniform(2.0, 10.0), d * rng.uniform(0.1, 1.0)
        along = (rows * c - columns * s) * np.float32(2 * np.pi / length)
        away += np.float32(height) * np.sin(along + np.float32(rng.uniform(0, 2 * np.pi)))
    return np.asarray(away, np.float32)


def draw_vacuum(
    rng: Generator, layers: Layers, conditions: Conditions, *, often: float = 1.0
) -> bool:
    """Draw a hole without ice, with bare film or a dry residue at most; return whether it is one.

    ``often`` multiplies the share of micrographs where it happens. Nothing of protein should
    be drawn there.
    """
    if rng.random() > _NO_ICE * often:
        return False
    shape = (layers.mask.shape[0], layers.mask.shape[1])
    # what is left of the grain of amorphous matter: nothing, or that of a film of carbon
    layers.texture -= np.float32(1.0 if rng.random() < 0.6 else rng.uniform(0.2, 0.9))
    if rng.random() < 0.3:  # faint wide stripes
        for _ in range(int(rng.integers(1, 4))):
            step = _wavy_line(rng, layers, conditions.diameter_px)
            soft = np.float32(log_uniform(rng, 2.0, 40.0))
            layers.absorbed -= np.float32(rng.uniform(-0.4, 0.6)) * np.clip(step / soft, 0, 1)
    if rng.random() < 0.25:
        wide = conditions.diameter_px * rng.uniform(1.0, 6.0)
        layers.absorbed += np.float32(rng.uniform(0.1, 0.5)) * smooth_field(rng, shape, wide)
    return True


def draw_beam_edge(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw the edge of the beam in a corner: darkness beyond a round line, with fringes, or none.

    Where less than half of the beam falls, nothing is to be picked.
    """
    if rng.random() > 0.015:
        return
    ny, nx = layers.mask.shape
    d = conditions.diameter_px
    angle, radius = rng.uniform(-np.pi, np.pi), 0.5 * (nx + ny) * rng.uniform(0.7, 2.5)
    nearest = 0.5 * (abs(np.cos(angle)) * nx + abs(np.sin(angle)) * ny)
    nearest -= 0.5 * (nx + ny) * rng.uniform(0.03, 0.3)
    y, x = np.ogrid[:ny, :nx]
    x = x - 0.5 * nx - np.cos(angle) * (nearest - radius)
    y = y - 0.5 * ny - np.sin(angle) * (nearest - radius)
    off = (radius - np.hypot(x, y)).astype(np.float32)  # inside the beam
    soft = log_uniform(rng, 0.05, 2.0) * d
    light = 1 / (1 + np.exp(-np.clip(off / np.float32(soft), -30, 30)))
    if rng.random() < 0.5:
        near = np.maximum(off, 0)
        wave = np.cos(np.square(near / np.float32(rng.uniform(0.3, 1.2) * d)) * np.float32(np.pi))
        light -= np.float32(rng.uniform(0.03, 0.12)) * wave * np.exp(-near / np.float32(2 * d))
    layers.absorbed -= np.float32(rng.uniform(3.0, 10.0)) * (1 - light)
    layers.texture -= 0.9 * (1 - light)
    layers.mask[light < 0.5] = MASK_LABELS["carbon"]
