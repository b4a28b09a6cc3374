"""What spoils a micrograph: carbon, ice crystals, specks, with a mask of it all.

Mask values are those of the development data: 1 ice crystal, 2 carbon, 3 aggregate,
4 fragment, 5 speck, 6 free micelle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

Float = NDArray[np.float64]
Mask = NDArray[np.uint8]

CRYSTAL, CARBON, AGGREGATE, FRAGMENT, SPECK, MICELLE = 1, 2, 3, 4, 5, 6
#: Chance of a carbon edge; mean number of crystals and of specks.
P_CARBON, CRYSTALS, SPECKS = 0.2, 0.7, 2.5


def grid(shape: tuple[int, int]) -> tuple[Float, Float]:
    """Return columns and rows of every pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    return x, y


def texture(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> Float:
    """Return smooth noise of unit standard deviation."""
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), sigma_px, mode="wrap")
    return smooth / smooth.std()


def blob(
    rng: np.random.Generator, x: Float, y: Float, centre: tuple[float, float], radius: float
) -> Float:
    """Return the signed distance in pixels from an irregular outline, positive inside."""
    dx, dy = x - centre[0], y - centre[1]
    angle = np.arctan2(dy, dx)
    edge = np.full_like(angle, radius)
    for order in (2, 3, 4, 5):
        height = radius * rng.normal(0, 0.09)
        edge = edge + height * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return edge - np.hypot(dx, dy)


def contaminants(
    rng: np.random.Generator, shape: tuple[int, int], diameter_px: float
) -> tuple[Float, Float, Mask]:
    """Draw carbon, crystals and specks.

    Returns
    -------
    tuple
        Added darkness in standard deviations of the noise, a factor of the noise that
        matter there adds to, and the mask; each of ``shape``.
    """
    x, y = grid(shape)
    dark, gain, mask = np.zeros(shape), np.ones(shape), np.zeros(shape, np.uint8)
    if rng.random() < P_CARBON:
        inside = _carbon_edge(rng, x, y, shape)
        sheet = expit(inside / 1.5)
        fringe = np.exp(-((inside + 4) ** 2) / 18) - np.exp(-((inside - 3) ** 2) / 18)
        dark += rng.uniform(0.7, 1.5) * sheet - 0.5 * fringe
        dark += 0.35 * sheet * texture(rng, shape, rng.uniform(2, 5))
        gain += rng.uniform(0.2, 0.6) * sheet
        mask[inside > -3] = CARBON
    for _ in range(rng.poisson(CRYSTALS)):
        radius = diameter_px * rng.uniform(0.45, 1.3)
        inside = blob(rng, x, y, (rng.uniform(0, shape[1]), rng.uniform(0, shape[0])), radius)
        thick = np.clip(inside / (0.5 * radius), 0, 1) ** 0.7
        grain = 1 + 0.22 * texture(rng, shape, 1.2)
        dark += rng.uniform(1.0, 2.4) * thick * grain
        dark -= 0.5 * np.exp(-((inside + 2.0) ** 2) / 8)
        mask[inside > -3] = CRYSTAL
    for _ in range(rng.poisson(SPECKS)):
        radius = diameter_px * rng.uniform(0.08, 0.2)
        inside = blob(rng, x, y, (rng.uniform(0, shape[1]), rng.uniform(0, shape[0])), radius)
        dark += rng.uniform(1.6, 3.2) * expit(inside / 0.8)
        mask[inside > -2.5] = SPECK
    return dark, gain, mask


def _carbon_edge(rng: np.random.Generator, x: Float, y: Float, shape: tuple[int, int]) -> Float:
    """Return the distance inside the rim of a hole, positive on carbon, in pixels."""
    radius = rng.uniform(700, 2500)
    angle = rng.uniform(0, 2 * np.pi)
    # The rim comes so near to the middle of the image.
    near = rng.uniform(0.28, 0.46) * max(shape)
    cx = shape[1] / 2 + (near - radius) * np.cos(angle)
    cy = shape[0] / 2 + (near - radius) * np.sin(angle)
    rough = 3.0 * texture(rng, shape, 9.0)
    return np.hypot(x - cx, y - cy) - radius + rough
