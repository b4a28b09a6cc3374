"""A specimen that moved while it was exposed: drift, jumps, charging that moves a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Image = NDArray[np.float32]

Kind = Literal["drift", "jump", "shake"]


@dataclass(frozen=True)
class Motion:
    """One movement, symmetric in time about where things are said to be.

    Parameters
    ----------
    kind
        ``drift``: at constant speed; ``jump``: half of the dose on either side, a double
        image; ``shake``: a normal distribution of places.
    way_px
        Columns and rows from the first place to the last; of a shake, four deviations.
    uneven
        None: all of the field moved. Else column and row, in shares of the sides, of a point
        at which the movement is half, and the direction in radians towards which it grows:
        what a charged foil pulls at.
    """

    kind: Kind
    way_px: tuple[float, float]
    uneven: tuple[float, float, float] | None = None

    def transfer(self, k_along: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by what the transform is damped, at cycles over the length of the way."""
        if self.kind == "drift":
            return np.sinc(k_along)
        if self.kind == "jump":
            return np.cos(np.pi * k_along)
        # a deviation of a quarter of the way
        return np.asarray(np.exp(-2 * np.square(np.pi * k_along / 4)))

    def smear(self, image: Image) -> Image:
        """Return an image without counting noise as it is after the movement, same shape."""
        shape = (image.shape[0], image.shape[1])
        ky = scipy.fft.fftfreq(shape[0])[:, None] * self.way_px[1]
        kx = scipy.fft.rfftfreq(shape[1])[None, :] * self.way_px[0]
        spectrum = scipy.fft.rfft2(image) * self.transfer(kx + ky).astype(np.float32)
        moved: Image = scipy.fft.irfft2(spectrum, s=shape)
        if self.uneven is None:
            return moved
        x, y, turn = self.uneven
        rows, columns = (np.linspace(0, 1, n, dtype=np.float32) for n in shape)
        away = (columns - x) * np.cos(turn) + (rows[:, None] - y) * np.sin(turn)
        share = np.clip(0.5 + 3 * away, 0, 1).astype(np.float32)
        return np.asarray(image + share * (moved - image), np.float32)


def random_motion(rng: np.random.Generator, diameter_px: float) -> Motion | None:
    """Return the movement of a micrograph; most have been corrected and have none left."""
    if rng.random() > 0.06:
        return None
    kinds: tuple[Kind, ...] = ("drift", "jump", "shake")
    kind = kinds[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
    # particles that moved by half of themselves are seen by nobody
    length = diameter_px * float(np.exp(rng.uniform(np.log(0.06), np.log(0.4))))
    turn = rng.uniform(0, 2 * np.pi)
    way = (length * float(np.cos(turn)), length * float(np.sin(turn)))
    uneven = None
    if rng.random() < 0.3:
        x, y = rng.uniform(0.2, 0.8, 2)
        uneven = (float(x), float(y), float(rng.uniform(0, 2 * np.pi)))
    return Motion(kind, way, uneven)
