"""What the network learns from: working images with labels, and which part is held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.sampling import Sampling

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Region:
    """A rectangle of a working image: rows ``top <= y < bottom``, columns ``left <= x < right``."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def area(self) -> float:
        """Area in working pixels."""
        return max(0.0, self.bottom - self.top) * max(0.0, self.right - self.left)

    def contains(self, yx: Points, margin: float = 0.0) -> NDArray[np.bool_]:
        """Return which of ``(..., 2)`` points lie inside, or within ``margin`` of it."""
        y, x = yx[..., 0], yx[..., 1]
        rows = (y >= self.top - margin) & (y < self.bottom + margin)
        inside: NDArray[np.bool_] = rows & (x >= self.left - margin) & (x < self.right + margin)
        return inside


@dataclass(frozen=True)
class TrainingImage:
    """One micrograph as training sees it.

    Parameters
    ----------
    micrograph_id
        `Micrograph.id`.
    pixels
        ``(h, w)`` float32 working image, in memory or memory-mapped.
    sampling
        Working pixels in the micrograph.
    particles_yx, empty_yx
        ``(n, 2)`` float64, labels of sign +1 and -1, in working pixels.
    complete
        Every particle of the micrograph is labelled.
    held_out
        The part that training must not see, kept for measuring; None for none.
    worth
        ``(n,)`` float64, what each of ``particles_yx`` counts in the loss, 0 to 1; None: 1.
    """

    micrograph_id: str
    pixels: NDArray[np.float32]
    sampling: Sampling
    particles_yx: Points
    empty_yx: Points
    complete: bool = False
    held_out: Region | None = None
    worth: NDArray[np.float64] | None = None

    @property
    def whole(self) -> Region:
        """The region of the whole image."""
        return Region(0.0, 0.0, float(self.pixels.shape[0]), float(self.pixels.shape[1]))

    @property
    def trains(self) -> bool:
        """Whether any part of the image is left for training."""
        return self.held_out != self.whole

    def training_particles(self, guard: float) -> Points:
        """Return the labels outside the held-out part and its guard band."""
        return self.particles_yx[self._training(guard)]

    def training_worth(self, guard: float) -> NDArray[np.float64]:
        """Return ``(n,)``, what each of the `training_particles` counts."""
        worth = np.ones(len(self.particles_yx)) if self.worth is None else self.worth
        counted: NDArray[np.float64] = worth[self._training(guard)]
        return counted

    def _training(self, guard: float) -> NDArray[np.bool_]:
        if self.held_out is None:
            return np.ones(len(self.particles_yx), np.bool_)
        outside: NDArray[np.bool_] = ~self.held_out.contains(self.particles_yx, guard)
        return outside

    def held_out_particles(self) -> Points:
        """Return the labels inside the held-out part."""
        if self.held_out is None:
            return self.particles_yx[:0]
        return self.particles_yx[self.held_out.contains(self.particles_yx)]
