"""The peaks of a map of logits, and where the top of each lies between the cells."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from frostpick.pick_columns import PickColumns, typed

Floats = NDArray[np.float64]
#: Farthest that a refined peak may lie from its cell, in cells.
REFINE_LIMIT = 0.5


@dataclass(frozen=True)
class Peaks(PickColumns):
    """Peaks of one micrograph by descending logit, in micrograph pixels, float64 ``(n,)``.

    A selector may fill any of the `OptionalColumns`.
    """

    y_px: Floats = field(metadata=typed(np.float64))
    x_px: Floats = field(metadata=typed(np.float64))
    logit: Floats = field(metadata=typed(np.float64))

    def __len__(self) -> int:
        return len(self.logit)

    def inside(self, shape: tuple[int, int], margin_px: float) -> Peaks:
        """Return the peaks at least ``margin_px`` from the edges of an image of ``shape``.

        The edges are half a pixel outside the centres of the outermost pixels; none is
        ever farther out than those centres.
        """
        keep = np.ones(len(self), np.bool_)
        for position, side in ((self.y_px, shape[0]), (self.x_px, shape[1])):
            keep &= np.minimum(position + 0.5, side - 0.5 - position) >= max(margin_px, 0.5)
        return self.keep(keep)


def refine(
    logits: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Floats:
    """Return offsets ``(n, 2)`` in cells from each cell to the top of its quadratic.

    The quadratic is the least-squares fit to the 3 x 3 neighbours. The offset is zero
    at the border of the map, beside a value that is not finite, and where the fit has
    no maximum; otherwise it is cut at ``REFINE_LIMIT`` along each axis.
    """
    around = np.pad(logits.astype(np.float64), 1, constant_values=np.nan)
    near = np.stack([[around[rows + i, columns + j] for j in range(3)] for i in range(3)])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gy = (near[2] - near[0]).sum(0) / 6
        gx = (near[:, 2] - near[:, 0]).sum(0) / 6
        hyy = (near[0] + near[2] - 2 * near[1]).sum(0) / 3
        hxx = (near[:, 0] + near[:, 2] - 2 * near[:, 1]).sum(0) / 3
        hxy = (near[0, 0] + near[2, 2] - near[0, 2] - near[2, 0]) / 4
        determinant = hyy * hxx - hxy**2
        dy = (hxy * gx - hxx * gy) / determinant
        dx = (hxy * gy - hyy * gx) / determinant
        peaked = (determinant > 0) & (hyy < 0) & np.isfinite(dy) & np.isfinite(dx)
    offset = np.where(peaked, np.stack([dy, dx]), 0.0)
    return np.clip(offset, -REFINE_LIMIT, REFINE_LIMIT).T
