"""What settles on the ice: frost, drops of ethane, leopard-skin patterns, steps of thickness.

Contrasts are in standard deviations of the noise, as in `frostpick.simulate.ice.layers`. The
bright rim of a drop comes from the CTF: most of its contrast is phase.
"""

from __future__ import annotations

import numpy as np

from frostpick.simulate.camera.conditions import Conditions
from frostpick.simulate.draws import log_uniform
from frostpick.simulate.ice.fields import doubled, smooth_field
from frostpick.simulate.ice.films import add_decoys, mark_film
from frostpick.simulate.ice.layers import Decoy, Layers
from frostpick.simulate.ice.mosaic import random_mosaic
from frostpick.simulate.truth import MASK_LABELS

Generator = np.random.Generator

_MOST = 40  # decoys of one shower: the rest look alike


def draw_drops(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw a shower of frost or of ethane: round things of many sizes, alone or in chains."""
    d = conditions.diameter_px
    ny, nx = layers.mask.shape
    frost = rng.random() < 0.6
    middle = d * (log_uniform(rng, 0.2, 0.7) if frost else log_uniform(rng, 0.12, 2.0))
    spread = rng.uniform(0.15, 0.6)
    # so many that they cover a few hundredths of the ice
    share = log_uniform(rng, 0.01, 0.15)
    wanted = share * ny * nx / (np.pi * middle**2 * np.exp(2 * spread**2))
    count = int(np.clip(wanted, 3, 150))
    opacity, phase = log_uniform(rng, 0.2, 3.0), log_uniform(rng, 2.0, 20.0)
    profile = rng.choice(["ball", "flat", "soft"], p=[0.35, 0.45, 0.2])
    rough = rng.uniform(0.02, 0.2) if frost else rng.uniform(0.0, 0.04)
    chained = rng.uniform(0.0, 0.7)
    x, y = layers.place(rng)
    radius, turn = middle, 0.0
    first = len(layers.decoys)
    for _ in range(count):
        old = radius
        radius = float(np.clip(middle * np.exp(rng.normal(0, spread)), 1.5, 4 * d))
        if rng.random() < chained:
            turn += rng.normal(0, 0.7)
            step = rng.uniform(0.6, 1.0) * (old + radius)
            x, y = x + step * np.cos(turn), y + step * np.sin(turn)
        else:
            (x, y), turn = layers.place(rng), rng.uniform(0, 2 * np.pi)
        depth = rng.uniform(0.4, 1.3) * min(2.0, (radius / middle) ** 0.5)
        _drop(rng, layers, (x, y), radius, str(profile), rough, depth * opacity, depth * phase)
    kept = layers.decoys[first:]
    if len(kept) > _MOST:
        order = rng.permutation(len(kept))[:_MOST]
        layers.decoys[first:] = [kept[k] for k in sorted(order.tolist())]


def _drop(
    rng: Generator,
    layers: Layers,
    place: tuple[float, float],
    radius: float,
    profile: str,
    rough: float,
    opacity: float,
    phase: float,
) -> None:
    x, y = place
    rows, columns, dx, dy = layers.box(x, y, 1.6 * radius + 3)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    dx, dy = dx.astype(np.float32), dy.astype(np.float32)
    stretch, turn = rng.uniform(1.0, 1.25), rng.uniform(0, np.pi)
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along, across = (dx * c + dy * s) / np.float32(stretch), dy * c - dx * s
    distance = np.hypot(along, across)
    if rough:
        azimuth = np.arctan2(across, along)
        for m in (2, 3, 5):
            wave = np.cos(m * azimuth + np.float32(rng.uniform(0, 2 * np.pi)))
            distance = distance * (1 + np.float32(rng.normal(0, rough / m**0.5)) * wave)
    share = distance / np.float32(radius)
    edge = np.clip(np.float32(radius) - distance + np.float32(0.5), 0, 1)
    if profile == "ball":
        matter = np.sqrt(np.clip(1 - np.square(share), 0, 1))
    elif profile == "soft":
        matter = np.exp(-2 * np.square(share))
    else:
        matter = edge
    layers.absorbed[rows, columns] -= np.float32(opacity) * matter
    layers.phase[rows, columns] += np.float32(phase) * matter
    layers.texture[rows, columns] += np.float32(rng.uniform(0.0, 0.5)) * edge
    layers.mask[rows, columns][edge > 0.5] = MASK_LABELS["ice_crystal"]
    layers.decoys.append(Decoy(x, y, "ice_crystal"))


def draw_leopard_skin(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw the pattern of ice that has been irradiated or has grown in the microscope.

    Spots or bubbles of one size with dark rings, close together, all over or in part.
    """
    shape = (layers.mask.shape[0], layers.mask.shape[1])
    d = conditions.diameter_px
    size = d * log_uniform(rng, 0.25, 1.2)
    if rng.random() < 0.5:  # bubbles, a wall between each two
        border = random_mosaic(rng, shape, 1.6 * size).border / np.float32(size)
        field = doubled(border.astype(np.float32) * 4, shape)
        field += np.float32(0.3) * smooth_field(rng, shape, size)
    else:  # spots that run together
        field = smooth_field(rng, shape, size)
        field -= np.float32(0.6) * smooth_field(rng, shape, 2.2 * size)
    off = field - np.float32(rng.uniform(0.3, 1.1))
    spots = np.clip(off * np.float32(rng.uniform(1.0, 6.0)), 0, 1)
    ring = np.exp(-np.square(off / np.float32(rng.uniform(0.15, 0.4))))
    seen = np.float32(rng.uniform(-0.5, 2.5)) * spots
    seen -= np.float32(log_uniform(rng, 0.4, 2.5)) * ring
    height = np.float32(rng.uniform(-4.0, 4.0)) * spots
    inside = np.ones(shape, bool)
    if rng.random() < 0.6:
        cover = np.clip(2 * smooth_field(rng, shape, d * rng.uniform(3.0, 8.0)) + 0.5, 0, 1)
        seen, height, inside = seen * cover, height * cover, cover > 0.3
    layers.absorbed += seen
    layers.phase += height
    mark_film(layers, inside)
    add_decoys(rng, layers, inside, seen, d)


def draw_steps(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw ice that gets thicker in faint steps; particles lie on either side, no mask."""
    ny, nx = layers.mask.shape
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[:ny, :nx]
    away = ((x - 0.5 * nx) * np.cos(turn) + (y - 0.5 * ny) * np.sin(turn)).astype(np.float32)
    away += np.float32(0.8 * conditions.diameter_px) * smooth_field(
        rng, (ny, nx), conditions.diameter_px * rng.uniform(2.0, 6.0)
    )
    for _ in range(int(rng.integers(1, 5))):
        place = np.float32(rng.uniform(-0.5, 0.5) * min(ny, nx))
        soft = np.float32(log_uniform(rng, 1.0, 30.0))
        step = np.clip((away - place) / soft, 0, 1)
        layers.absorbed -= np.float32(rng.uniform(0.1, 0.8)) * step
        layers.phase += np.float32(rng.uniform(0.0, 1.0)) * step
