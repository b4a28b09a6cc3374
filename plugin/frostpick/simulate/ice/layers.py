"""What lies in and on the ice of a corpus micrograph besides protein: crystals, specks, balls.

Each function draws one kind of thing into `Layers`, mostly none: most micrographs
are clean. Contrasts are in standard deviations of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.camera.conditions import Conditions
from frostpick.simulate.draws import log_uniform
from frostpick.simulate.ice.fields import smooth_field
from frostpick.simulate.truth import MASK_LABELS

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Generator = np.random.Generator


class Decoy(NamedTuple):
    """A thing that is no particle: column, row, kind, and its longest dimension if it has one."""

    x: float
    y: float
    kind: str
    extent_px: float = float("nan")


@dataclass
class Layers:
    """Canvases that the drawing functions fill; coordinates are those of the canvas.

    Parameters
    ----------
    phase
        Added before the CTF, in standard deviations of the noise.
    absorbed
        Added after it: darkness that has no fringes.
    texture
        Extra structural noise, as a share of its amplitude.
    mask
        `MASK_LABELS`.
    decoys
        Column, row and kind of each thing that has a place.
    """

    phase: Image
    absorbed: Image
    texture: Image
    mask: NDArray[np.uint8]
    decoys: list[Decoy] = field(default_factory=list)

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Layers:
        """Return canvases with nothing on them."""
        return cls(
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.uint8),
        )

    def box(self, x: float, y: float, reach: float) -> tuple[slice, slice, Float, Float]:
        """Return the window of a disc, and the offsets of its columns and rows from the middle."""
        ny, nx = self.mask.shape
        rows = slice(max(0, int(y - reach)), min(ny, int(y + reach) + 2))
        columns = slice(max(0, int(x - reach)), min(nx, int(x + reach) + 2))
        dy, dx = np.ogrid[rows, columns]
        return rows, columns, dx - x, dy - y

    def place(self, rng: Generator) -> tuple[float, float]:
        """Return a random place: column and row."""
        ny, nx = self.mask.shape
        return float(rng.uniform(0, nx - 1)), float(rng.uniform(0, ny - 1))


def draw_thick_ice(
    rng: Generator, layers: Layers, conditions: Conditions, *, often: float = 1.0
) -> None:
    """Draw regions of ice too thick or too dirty for particles to be seen.

    It lies all over in one micrograph of 200, and ``often`` times as many.
    """
    chance = rng.random()
    if chance > 0.08:
        return
    shape = layers.mask.shape
    wide = smooth_field(rng, (shape[0], shape[1]), rng.uniform(3, 7) * conditions.diameter_px)
    if chance < 0.005 * often:
        cover = 1 + np.float32(rng.uniform(0.0, 0.3)) * wide
    else:
        cover = np.clip((wide - np.float32(rng.uniform(0.6, 1.4))) * np.float32(3), 0, 1)
    layers.absorbed -= np.float32(rng.uniform(1.0, 5.0)) * cover
    layers.texture += np.float32(rng.uniform(0.2, 1.0)) * cover
    layers.mask[cover > 0.5] = MASK_LABELS["ice_crystal"]


def _outline(rng: Generator, dx: Float, dy: Float, radius: float) -> Float:
    """Return the depth inside a polygon or a lump of about that radius; negative outside."""
    if rng.random() < 0.5:
        sides = int(rng.integers(4, 8))
        normals = rng.uniform(0, 2 * np.pi) + np.arange(sides) * 2 * np.pi / sides
        normals += rng.normal(0, 0.15, sides)
        depth = np.full((dy.shape[0], dx.shape[1]), np.inf)
        for normal, distance in zip(normals, radius * rng.uniform(0.65, 1.0, sides), strict=True):
            np.minimum(depth, distance - np.cos(normal) * dx - np.sin(normal) * dy, out=depth)
        return depth
    azimuth = np.arctan2(dy, dx)
    edge = np.ones_like(azimuth)
    for m in range(1, 6):
        edge += rng.normal(0, 0.16 / m) * np.cos(m * azimuth + rng.uniform(0, 2 * np.pi))
    return np.asarray(radius * 0.85 * edge - np.hypot(dx, dy))


def _crystal(
    rng: Generator,
    layers: Layers,
    x: float,
    y: float,
    radius: float,
    contrast: float,
    kind: str = "ice_crystal",
) -> None:
    """Draw one crystal or crumb with relief, grain and perhaps the bands of Bragg contrast."""
    rows, columns, dx, dy = layers.box(x, y, 1.5 * radius + 2)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    depth = _outline(rng, dx, dy, radius)
    soft = max(1.0, rng.uniform(0.0, 0.5) * radius) if rng.random() < 0.5 else 1.0
    cover = np.clip(depth / soft + 0.5, 0, 1).astype(np.float32)
    relief = 0.6 + 0.4 * np.clip(depth / radius, 0, 1)
    if kind == "ice_crystal" and rng.random() < 0.5:
        turn, width = rng.uniform(0, np.pi), radius * rng.uniform(0.3, 1.2)
        wave = np.cos(2 * np.pi * (dx * np.cos(turn) + dy * np.sin(turn)) / width + turn)
        relief = relief * (1 + rng.uniform(0.1, 0.6) * wave)
    elif rng.random() < 0.5:
        grain = smooth_field(rng, (depth.shape[0], depth.shape[1]), max(1.5, 0.35 * radius))
        relief = relief * (1 + rng.uniform(0.1, 0.5) * grain)
    layers.absorbed[rows, columns] += np.float32(contrast) * cover * relief.astype(np.float32)
    layers.phase[rows, columns] += np.float32(abs(contrast) * rng.uniform(0.2, 1.0)) * cover
    layers.texture[rows, columns] += np.float32(rng.uniform(0.0, 1.2)) * cover
    layers.mask[rows, columns][depth > 0] = MASK_LABELS[kind]
    layers.decoys.append(Decoy(x, y, kind, 2 * radius))


def draw_crystals(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw crystals and drops of ethane; now and then a micrograph is spotted all over."""
    d = conditions.diameter_px
    for _ in range(rng.poisson(1.0) if rng.random() < 0.6 else 0):
        dark = log_uniform(rng, 0.8, 10.0)
        contrast = rng.uniform(0.8, 2.5) if rng.random() < 0.2 else -dark
        _crystal(rng, layers, *layers.place(rng), log_uniform(rng, 0.35, 4.0) * d, contrast)
    if rng.random() < 0.06:
        size, contrast = log_uniform(rng, 0.12, 0.6) * d, -log_uniform(rng, 0.4, 3.0)
        if rng.random() < 0.15:
            contrast = -contrast
        for _ in range(int(rng.integers(10, 60))):
            radius = max(1.5, size * rng.uniform(0.5, 1.5))
            _crystal(rng, layers, *layers.place(rng), radius, contrast * rng.uniform(0.6, 1.4))


def draw_specks(rng: Generator, layers: Layers, conditions: Conditions) -> None:
    """Draw crumbs of dirt, small dark specks, and now and then gold beads or larger balls."""
    pixel, d = conditions.pixel_size_A, conditions.diameter_px
    for _ in range(rng.poisson(2.0) if rng.random() < 0.6 else 0):
        radius = max(1.5, log_uniform(rng, 0.1, 0.55) * d)
        _crystal(rng, layers, *layers.place(rng), radius, -log_uniform(rng, 0.5, 5.0), "speck")
    radii = [
        (max(0.8, rng.uniform(3.0, 25.0) / pixel), rng.uniform(3.0, 10.0))
        for _ in range(rng.poisson(2.0) if rng.random() < 0.55 else 0)
    ]
    if rng.random() < 0.1:
        bead = rng.uniform(0.08, 0.3) * d
        depth = log_uniform(rng, 3.0, 20.0)
        radii += [(bead * rng.uniform(0.9, 1.1), depth) for _ in range(int(rng.integers(2, 25)))]
    for radius, depth in radii:
        x, y = layers.place(rng)
        rows, columns, dx, dy = layers.box(x, y, radius + 2)
        disc = np.clip(radius - np.hypot(dx, dy) + 0.5, 0, 1).astype(np.float32)
        layers.absorbed[rows, columns] -= np.float32(0.4 * depth) * disc
        # through the CTF, a disc of this size is seen at about half its depth
        layers.phase[rows, columns] += np.float32(1.2 * depth) * disc
        layers.mask[rows, columns][disc > 0.5] = MASK_LABELS["speck"]
        layers.decoys.append(Decoy(x, y, "speck", 2 * radius))
