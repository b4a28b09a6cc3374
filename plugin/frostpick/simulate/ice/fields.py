"""Smooth random maps, and what brings a map of half the resolution up to a canvas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Generator = np.random.Generator


def smooth_field(rng: Generator, shape: tuple[int, int], scale_px: float) -> Image:
    """Return a smooth random map of variance about 1; features are ``scale_px`` wide."""
    knots = [np.arange(-2.0, n / scale_px + 3.0) * scale_px for n in shape]
    bases = [
        np.exp(-0.5 * ((np.arange(n)[:, None] - k) / (0.7 * scale_px)) ** 2)
        for n, k in zip(shape, knots, strict=True)
    ]
    down, across = (basis.astype(np.float32) for basis in bases)
    values = rng.standard_normal((len(knots[0]), len(knots[1])), dtype=np.float32)
    # the sum of squared weights is about the same everywhere: (0.7 sqrt(pi))^2
    return np.asarray(down @ values @ across.T / np.float32(0.7 * np.sqrt(np.pi)), np.float32)


def doubled(half: Image, shape: tuple[int, int]) -> Image:
    """Return a map at twice the resolution, cut to ``shape``; pixels between are means.

    Pixel ``(i, j)`` of the half map is pixel ``(2 i, 2 j)``, so it must have at least
    ``n // 2 + 1`` pixels a side.
    """
    ny, nx = shape
    out = np.empty((2 * half.shape[0] - 1, 2 * half.shape[1] - 1), np.float32)
    out[::2, ::2] = half
    out[::2, 1::2] = 0.5 * (half[:, :-1] + half[:, 1:])
    out[1::2] = 0.5 * (out[:-1:2] + out[2::2])
    return np.ascontiguousarray(out[:ny, :nx])
