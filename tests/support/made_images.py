"""Images of which everything is known: spots, discs and rings on noise, and files of them.

All draw into an image of float64 or float32 and darken it. Places are ``(n, 2)`` x and y in pixels,
x along the columns and y along the rows as stored; an integer is the centre of a pixel.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[Any]


def noise(shape: tuple[int, int], seed: Any) -> NDArray[np.float64]:
    """Return white noise of deviation 1."""
    return np.random.default_rng(seed).normal(size=shape)


def places_apart(
    rng: np.random.Generator, shape: tuple[int, int], count: int, border: float, apart: float
) -> NDArray[np.float64]:
    """Return ``(count, 2)`` random places away from the border, none near another."""
    found: list[tuple[float, float]] = []
    while len(found) < count:
        x, y = rng.uniform(border, shape[1] - border), rng.uniform(border, shape[0] - border)
        if all((x - a) ** 2 + (y - b) ** 2 > apart**2 for a, b in found):
            found.append((x, y))
    return np.array(found).reshape(-1, 2)


def draw_spots(
    image: Image, xy: ArrayLike, depth: float | Sequence[float] = 4.0, deviation_px: float = 8.0
) -> None:
    """Take Gaussian spots off an image; each may have a depth of its own."""
    places = _places(xy)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for (px, py), deep in zip(places, np.broadcast_to(depth, len(places)), strict=True):
        image -= deep * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * deviation_px**2))


def draw_discs(
    image: Image, xy: ArrayLike, depth: float, radius_px: float, hole_px: float = -1.0
) -> None:
    """Take flat discs with a sharp rim off an image; with a hole they are rings."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for px, py in _places(xy):
        away = np.hypot(x - px, y - py)
        image[(away < radius_px) & (away > hole_px)] -= depth


def draw_soft_discs(
    image: Image, xy: ArrayLike, depth: float, radius_px: float, edge_px: float
) -> None:
    """Take discs off an image; at the radius half the depth is left, ``edge_px`` sets the slope."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for px, py in _places(xy):
        slope = (np.hypot(x - px, y - py) - radius_px) / edge_px
        image -= depth / (1 + np.exp(np.minimum(slope, 700.0)))  # the rest is 0 in any case


def spots_on_noise(
    shape: tuple[int, int],
    xy: ArrayLike,
    seed: Any = 0,
    depth: float | Sequence[float] = 4.0,
    deviation_px: float = 8.0,
) -> NDArray[np.float32]:
    """Return dark Gaussian spots on white noise of deviation 1."""
    image = noise(shape, seed)
    draw_spots(image, xy, depth, deviation_px)
    return image.astype(np.float32)


def write_mrc(path: Path, image: Image, pixel_A: float | None = None) -> Path:
    """Write an MRC file, and its folder; without a pixel size its header knows none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path, image, overwrite=True) as file:
        if pixel_A is not None:
            file.voxel_size = pixel_A
    return path


def _places(xy: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(xy, np.float64).reshape(-1, 2)
