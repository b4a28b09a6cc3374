"""Crystalline ice: mottled films, mosaics of grains, bend contours, stacked plates, lattices.

Contrast of crystals is by diffraction: dark and bright as a grain is turned, with bands
where it bends, and with fringes where lattices lie over one another. A micrograph has one
kind, all over or in a part of it, and no particle is wanted there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.camera.conditions import Conditions
from frostpick.simulate.draws import log_uniform
from frostpick.simulate.ice.fields import doubled, smooth_field
from frostpick.simulate.ice.layers import Decoy, Layers
from frostpick.simulate.ice.mosaic import random_mosaic
from frostpick.simulate.truth import MASK_LABELS

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Generator = np.random.Generator

_ALL_OVER = 0.5  # share of the films that leave no room for particles
_DECOYS = 12  # places a film, half of them where it is darkest over the width of a particle


def draw_crystalline_ice(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw a film of crystalline ice into all of the canvas or a part, mask and decoys too."""
    ny, nx = layers.mask.shape
    d = conditions.diameter_px
    cover = None if rng.random() < _ALL_OVER else _region(rng, (ny, nx), d)
    style = rng.choice(["mottled", "mosaic", "contours", "lattice"], p=[0.58, 0.2, 0.12, 0.1])
    draw = {
        "mottled": _mottled,
        "mosaic": _grains,
        "contours": _contours,
        "lattice": _lattice,
    }[str(style)]
    seen, grain = draw(rng, (ny, nx), d)
    if cover is not None:
        seen *= cover
        grain *= cover
    layers.absorbed += seen
    layers.phase += grain
    rough = np.float32(rng.uniform(0.0, 1.0))
    layers.texture += rough if cover is None else rough * cover
    inside = np.ones((ny, nx), bool) if cover is None else cover > 0.5
    mark_film(layers, inside)
    add_decoys(rng, layers, inside, seen, d)


def mark_film(layers: Layers, inside: NDArray[np.bool_]) -> None:
    """Mark a film in the mask, but for what lies in it and has a label of its own."""
    layers.mask[inside & (layers.mask == 0)] = MASK_LABELS["ice_crystal"]


def add_decoys(
    rng: Generator,
    layers: Layers,
    inside: NDArray[np.bool_],
    seen: Image,
    diameter_px: float,
    count: int = _DECOYS,
) -> None:
    """List places of a marked film as decoys: half anywhere in it, half where it is darkest."""
    ny, nx = inside.shape
    places = np.column_stack([rng.integers(0, n, 8 * count) for n in (nx, ny)])
    free = inside & (layers.mask == MASK_LABELS["ice_crystal"])
    places = places[free[places[:, 1], places[:, 0]]]
    reach = max(1, int(diameter_px / 3))
    darkness = [
        float(seen[max(0, y - reach) : y + reach + 1 : 3, max(0, x - reach) : x + reach + 1].mean())
        for x, y in places
    ]
    order = np.argsort(darkness, kind="stable")[: count // 2].tolist()
    chosen = order + [k for k in range(len(places)) if k not in order][: count - count // 2]
    layers.decoys += [
        Decoy(float(places[k, 0]), float(places[k, 1]), "ice_crystal") for k in chosen
    ]


def _region(rng: Generator, shape: tuple[int, int], d: float) -> Image:
    """Return a part of the canvas, 0 to 1: patches, or all beyond a line; soft or sharp."""
    ny, nx = shape
    sharp = log_uniform(rng, 0.5, 8.0)
    if rng.random() < 0.6:
        wide = rng.uniform(2.5, 8.0)
        patches = smooth_field(rng, shape, wide * d) - np.float32(rng.uniform(-0.6, 0.9))
        patches = patches * np.float32(wide * sharp) + np.float32(0.5)
        return np.asarray(np.clip(patches, 0, 1), np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[:ny, :nx]
    away = (x - 0.5 * nx) * np.cos(turn) + (y - 0.5 * ny) * np.sin(turn)
    line = away.astype(np.float32) - np.float32(rng.uniform(-0.35, 0.35) * min(ny, nx))
    line += np.float32(rng.uniform(0.05, 0.7) * d) * smooth_field(rng, shape, 1.2 * d)
    line = line * np.float32(4 * sharp / d) + np.float32(0.5)
    return np.asarray(np.clip(line, 0, 1), np.float32)


def _half(shape: tuple[int, int]) -> tuple[int, int]:
    return shape[0] // 2 + 1, shape[1] // 2 + 1


def _mottled(rng: Generator, shape: tuple[int, int], d: float) -> tuple[Image, Image]:
    """Return soft dark and bright spots, fine grain, broken dark lines, and patches of fringes."""
    half = _half(shape)
    size = 0.5 * d * log_uniform(rng, 0.25, 1.6)
    spots = smooth_field(rng, half, size)
    spots += np.float32(rng.uniform(0.2, 0.6)) * smooth_field(rng, half, max(2.0, 0.4 * size))
    cut = np.float32(rng.uniform(0.7, 1.7))
    dark, bright = np.maximum(spots - cut, 0), np.maximum(-spots - cut, 0)
    # the beam that a grain sends aside makes its bright picture a little way off
    away = rng.uniform(-1.2, 1.2, 2) * size
    ghost = np.roll(dark, (int(away[0]), int(away[1])), (0, 1))
    pattern = np.float32(-rng.uniform(1.0, 4.0)) * dark
    pattern += np.float32(rng.uniform(0.2, 2.0)) * bright
    pattern += np.float32(rng.uniform(0.0, 2.0)) * ghost
    mild = rng.uniform(0.15, 0.6)
    for scale, strength in ((2.2, 0.5 * mild), (1.0, 0.6 * mild), (0.3, mild)):
        field = smooth_field(rng, half, max(2.0, 0.5 * scale * d * rng.uniform(0.6, 1.5)))
        pattern += np.float32(strength) * field
    mosaic = random_mosaic(rng, shape, rng.uniform(0.5, 2.5) * d)
    if rng.random() < 0.7:
        # lines where grains meet or ice has cracked: thin, wavy, here and there
        line = np.maximum(1 - mosaic.border / np.float32(rng.uniform(1.2, 3.0)), 0)
        line *= np.clip(smooth_field(rng, half, 0.7 * d) + np.float32(0.3), 0, 2)
        pattern -= np.float32(rng.uniform(0.3, 1.8)) * line
    seen = doubled(pattern, shape)
    if rng.random() < 0.7:
        fringes = _fringes(rng, mosaic.count, rng.uniform(0.1, 0.5), rng.uniform(0.3, 1.5))
        seen += mosaic.values(fringes[0]) * mosaic.waves(fringes[1], fringes[2], 0.0)
    grain = rng.standard_normal(half, dtype=np.float32) * np.float32(rng.uniform(0.0, 1.2))
    return seen, doubled(grain, shape)


def _fringes(
    rng: Generator, count: int, share: float, strength: float
) -> tuple[Float, Float, Float]:
    """Return amplitude, direction and period in pixels of the fringes of ``count`` grains."""
    amplitude = np.where(rng.random(count) < share, rng.uniform(0.3, 1.0, count) * strength, 0.0)
    period = np.exp(rng.uniform(np.log(2.3), np.log(11.0), count))
    return amplitude, rng.uniform(0, np.pi, count), period


def _grains(rng: Generator, shape: tuple[int, int], d: float) -> tuple[Image, Image]:
    """Return a mosaic: each grain with its own grey, slope and fringes, with sharp borders."""
    mosaic = random_mosaic(rng, shape, d * log_uniform(rng, 0.35, 5.0))
    count = mosaic.count
    grey = rng.normal(0, log_uniform(rng, 0.3, 1.8), count)
    if rng.random() < 0.5:  # a few grains lie just so that they are black, or white
        grey += rng.choice([0.0, -1.0, 1.0], count, p=[0.82, 0.13, 0.05]) * rng.uniform(1, 5)
    seen = mosaic.values(grey)
    if rng.random() < 0.6:  # bent: bands go through the grains, other ones in each
        bands = _fringes(rng, count, rng.uniform(0.2, 0.8), rng.uniform(0.3, 1.5))
        wide = bands[2] * (0.08 * d)
        field = np.float32(rng.uniform(1.0, 4.0)) * smooth_field(rng, shape, 1.5 * d)
        seen += mosaic.values(bands[0]) * mosaic.waves(bands[1], wide, 0.0) * np.cos(field)
    fringes = _fringes(rng, count, rng.uniform(0.0, 0.6), rng.uniform(0.3, 1.8))
    seen += mosaic.values(fringes[0]) * mosaic.waves(fringes[1], fringes[2], 1.0)
    line = np.maximum(1 - mosaic.border / np.float32(rng.uniform(1.5, 4.0)), 0)
    seen += np.float32(rng.normal(-0.4, 0.7)) * doubled(line, shape)
    # a step of thickness at a border has a Fresnel fringe
    height = mosaic.values(rng.normal(0, rng.uniform(0.0, 4.0), count))
    return seen, height


def _contours(rng: Generator, shape: tuple[int, int], d: float) -> tuple[Image, Image]:
    """Return bend contours: dark bands with bright flanks along the level lines of a film."""
    half = _half(shape)
    seen = np.zeros(half, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        slope = smooth_field(rng, half, 0.5 * d * rng.uniform(1.0, 5.0))
        level = slope * np.float32(rng.uniform(1.0, 4.0)) + np.float32(rng.uniform(0, 1))
        off = np.abs(level - np.round(level)) / np.float32(log_uniform(rng, 0.04, 0.2))
        band = (1 - np.square(off)) * np.exp(-0.5 * np.square(off))
        here = np.clip(smooth_field(rng, half, d) + np.float32(rng.uniform(-0.5, 1.0)), 0, 1.5)
        seen -= np.float32(log_uniform(rng, 0.5, 3.0)) * band * here
    seen += np.float32(rng.uniform(0.1, 0.6)) * smooth_field(rng, half, 0.5 * d)
    grain = rng.standard_normal(half, dtype=np.float32) * np.float32(rng.uniform(0.0, 1.0))
    return doubled(seen, shape), doubled(grain, shape)


def lattice(rng: Generator, shape: tuple[int, int], period_px: float, waves: int) -> Image:
    """Return a periodic texture of 1 to 3 waves, bent a little, of variance 1."""
    ny, nx = shape
    turn = rng.uniform(0, np.pi)
    y = np.arange(ny, dtype=np.float32)[:, None]
    x = np.arange(nx, dtype=np.float32)[None, :]
    wander = smooth_field(rng, shape, max(20.0, 12 * period_px)) * np.float32(rng.uniform(0, 1.5))
    out = np.zeros(shape, np.float32)
    for k in range(waves):
        angle = turn + k * np.pi / (3 if waves == 3 else 2)
        rate = 2 * np.pi / period_px
        along = x * np.float32(rate * np.cos(angle)) + y * np.float32(rate * np.sin(angle))
        out += np.cos(along + wander)
    return out * np.float32(np.sqrt(2 / waves))


def _lattice(rng: Generator, shape: tuple[int, int], d: float) -> tuple[Image, Image]:
    """Return fine fringes or a hexagonal net over all, stronger here and weaker there."""
    del d
    period = log_uniform(rng, 2.3, 16.0)
    net = lattice(rng, shape, period, int(rng.integers(1, 4)))
    net *= np.clip(smooth_field(rng, shape, 6 * period) * np.float32(0.6) + np.float32(0.8), 0, 2)
    return net * np.float32(log_uniform(rng, 0.2, 1.2)), np.zeros(shape, np.float32)


def draw_plates(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw hexagonal plates with facets, thin and see-through, some stacked on others."""
    d = conditions.diameter_px
    contrast = log_uniform(rng, 0.3, 4.0)
    size = d * log_uniform(rng, 0.3, 3.0)
    for _ in range(int(rng.integers(1, 6))):
        x, y = layers.place(rng)
        turn = rng.uniform(0, np.pi / 3)
        for _ in range(1 + int(rng.poisson(1.2))):
            radius = max(3.0, size * rng.uniform(0.4, 1.4))
            tilt = turn + (rng.normal(0, 0.05) if rng.random() < 0.7 else rng.uniform(0, 1))
            depth = contrast * rng.uniform(0.5, 1.5) * (-1 if rng.random() < 0.1 else 1)
            _plate(rng, layers, (x, y), radius, tilt, depth)
            x, y = np.array([x, y]) + rng.normal(0, 0.6 * radius, 2)


def _plate(
    rng: Generator,
    layers: Layers,
    place: tuple[float, float],
    radius: float,
    turn: float,
    depth: float,
) -> None:
    x, y = place
    rows, columns, dx, dy = layers.box(x, y, 1.6 * radius + 3)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    long = rng.uniform(1.0, 1.5) if rng.random() < 0.4 else 1.0
    inside = np.full((dy.shape[0], dx.shape[1]), np.inf)
    for k in range(6):
        normal = turn + k * np.pi / 3
        reach = radius * rng.uniform(0.8, 1.0) * (long if k % 3 == 0 else 1.0)
        np.minimum(inside, reach - np.cos(normal) * dx - np.sin(normal) * dy, out=inside)
    cover = np.clip(inside + 0.5, 0, 1).astype(np.float32)
    relief = np.ones_like(cover)
    if rng.random() < 0.35:  # bevelled: contours of equal thickness run along the facets
        bevel = rng.uniform(0.15, 0.8) * radius
        relief *= np.clip(inside / bevel, 0.3, 1).astype(np.float32)
        if rng.random() < 0.5:
            relief += np.float32(0.3) * np.cos(inside * (2 * np.pi / (0.5 * bevel))).astype("f4")
    if rng.random() < 0.4:
        angle, period = rng.uniform(0, np.pi), log_uniform(rng, 2.5, max(5.0, 0.8 * radius))
        wave = np.cos((dx * np.cos(angle) + dy * np.sin(angle)) * (2 * np.pi / period))
        relief += np.float32(rng.uniform(0.2, 0.8)) * wave.astype(np.float32)
    layers.absorbed[rows, columns] -= np.float32(depth) * cover * relief
    layers.phase[rows, columns] += np.float32(abs(depth) * rng.uniform(0.3, 2.5)) * cover
    layers.mask[rows, columns][inside > 0] = MASK_LABELS["ice_crystal"]
    layers.decoys.append(Decoy(float(x), float(y), "ice_crystal"))
