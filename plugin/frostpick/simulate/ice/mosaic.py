"""Grains: a plane divided into cells with curved borders, each with values of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.ice.fields import doubled, smooth_field

Image = NDArray[np.float32]
Generator = np.random.Generator


@dataclass(frozen=True)
class Mosaic:
    """Cells of a plane at half the resolution of a canvas.

    Parameters
    ----------
    label
        ``(h, w)`` int64, which grain a pixel belongs to.
    border
        ``(h, w)`` float32, about how far the next grain is, in pixels of the canvas.
    count
        Number of labels; some are of no pixel.
    shape
        Of the canvas.
    """

    label: NDArray[np.int64]
    border: Image
    count: int
    shape: tuple[int, int]

    def values(self, of_grain: NDArray[np.floating]) -> Image:
        """Return one value a grain as an image of the canvas, with borders of two pixels."""
        return doubled(of_grain.astype(np.float32)[self.label], self.shape)

    def waves(
        self, turn: NDArray[np.float64], period_px: NDArray[np.float64], phase: float
    ) -> Image:
        """Return a cosine wave of its own direction and period in each grain, ``(ny, nx)``."""
        ny, nx = self.shape
        rate = (2 * np.pi / period_px).astype(np.float32)
        across = (rate * np.cos(turn)).astype(np.float32)[self.label]
        down = (rate * np.sin(turn)).astype(np.float32)[self.label]
        y, x = (np.arange(n, dtype=np.float32) for n in self.shape)
        fine = (np.repeat(np.repeat(a, 2, 0), 2, 1)[:ny, :nx] for a in (across, down))
        angle = next(fine) * x
        angle += next(fine) * y[:, None]
        return np.asarray(np.cos(angle + np.float32(phase)), np.float32)


def random_mosaic(rng: Generator, shape: tuple[int, int], grain_px: float) -> Mosaic:
    """Divide a canvas into grains about ``grain_px`` wide, some of them several times as large.

    A power diagram of points of a jittered lattice: a pixel belongs to the point of least
    squared distance less weight (Aurenhammer 1987, SIAM J. Comput. 16, 78), here among the
    nine of the lattice cells around it, in coordinates that a smooth field has bent.
    """
    h, w = (n // 2 + 1 for n in shape)
    y = np.arange(h, dtype=np.float32)[:, None] * np.float32(2 / grain_px)
    x = np.arange(w, dtype=np.float32)[None, :] * np.float32(2 / grain_px)
    bend = np.float32(rng.uniform(0.0, 0.25))
    wide = max(2.0, 0.35 * grain_px)
    y = y + bend * smooth_field(rng, (h, w), wide) + 2
    x = x + bend * smooth_field(rng, (h, w), wide) + 2
    rows, columns = int(y.max()) + 3, int(x.max()) + 3
    seeds = rng.uniform(0, 1, (2, rows, columns)).astype(np.float32)
    weight = rng.gamma(1.0, rng.uniform(0.05, 0.6), (rows, columns)).astype(np.float32)
    row, column = np.maximum(y, 1).astype(np.int64), np.maximum(x, 1).astype(np.int64)
    best = np.full((h, w), np.inf, np.float32)
    second = best.copy()
    label = np.zeros((h, w), np.int64)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            at = (row + i) * columns + (column + j)
            power = (y - (row + i) - seeds[0].ravel()[at]) ** 2
            power += (x - (column + j) - seeds[1].ravel()[at]) ** 2
            power -= weight.ravel()[at]
            nearer = power < best
            second = np.where(nearer, best, np.minimum(second, power))
            label = np.where(nearer, at, label)
            best = np.where(nearer, power, best)
    # on a line between points one apart the powers part by twice the distance to the border
    border = (second - best) * np.float32(0.5 * grain_px)
    return Mosaic(label, border, rows * columns, shape)
