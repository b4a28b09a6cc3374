"""Where the pixels of one grid lie in another: the only place that converts coordinates.

Every grid that frostpick makes of a micrograph (the working image, a padded
image, a tile, a score map, a box) carries a `Sampling`. Integer index means
pixel centre; y is the row and x the column of the array as ``mrcfile`` gives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Sampling:
    """A regular grid inside a parent grid: ``parent = origin + step * index``.

    Parameters
    ----------
    shape
        Rows and columns of this grid.
    step_yx
        Distance between neighbouring pixels of this grid, in parent pixels, per axis.
    origin_yx
        Parent index of this grid's pixel (0, 0).
    pixel_A_yx
        Pixel size of this grid in Angstrom, per axis.
    """

    shape: tuple[int, int]
    step_yx: Pair
    origin_yx: Pair
    pixel_A_yx: Pair

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or min(self.step_yx) <= 0 or min(self.pixel_A_yx) <= 0:
            raise ValueError(f"a sampling needs positive shape, step and pixel size, got {self}")

    @classmethod
    def identity(cls, shape: tuple[int, int], pixel_A: float) -> Sampling:
        """Return the sampling of a micrograph's own pixels."""
        return cls(shape, (1.0, 1.0), (0.0, 0.0), (pixel_A, pixel_A))

    def to_parent(self, yx: FloatArray) -> FloatArray:
        """Convert indices of this grid to indices of the parent.

        Parameters
        ----------
        yx
            ``(..., 2)`` float64, row and column in this grid.

        Returns
        -------
        ndarray
            ``(..., 2)`` float64, row and column in the parent grid.
        """
        indices = np.asarray(yx, np.float64)
        parent: FloatArray = np.asarray(self.origin_yx) + np.asarray(self.step_yx) * indices
        return parent

    def from_parent(self, yx: FloatArray) -> FloatArray:
        """Convert indices of the parent, ``(..., 2)``, to (fractional) indices of this grid."""
        offset = np.asarray(yx, np.float64) - np.asarray(self.origin_yx)
        index: FloatArray = offset / np.asarray(self.step_yx)
        return index

    def child(self, shape: tuple[int, int], step_yx: Pair, origin_yx: Pair) -> Sampling:
        """Return a grid given in pixels of this one, expressed in this grid's parent.

        Parameters
        ----------
        shape
            Rows and columns of the new grid.
        step_yx, origin_yx
            Its step and the place of its pixel (0, 0), in pixels of this grid. A
            crop has step 1 and a positive origin, padding a negative one, the
            score map of a network its stride and half its receptive field.
        """
        sy, sx = self.step_yx
        oy, ox = self.origin_yx
        py, px = self.pixel_A_yx
        return Sampling(
            shape,
            (sy * step_yx[0], sx * step_yx[1]),
            (oy + sy * origin_yx[0], ox + sx * origin_yx[1]),
            (py * step_yx[0], px * step_yx[1]),
        )
