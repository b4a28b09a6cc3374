"""The two noise laws, and the gradient of the ice."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from unseen.optics import Optics, frequency

Float = NDArray[np.float64]

#: ``r``: an amplitude that falls as k^-1.2 over a white floor; ``w``: the white floor alone.
Law = Literal["r", "w"]
#: Cycles a pixel at which the red noise is as strong as the floor, and where it levels off.
CROSSING, LEVEL = 0.03, 0.004
SLOPE = -1.2


def amplitude(shape: tuple[int, int], law: Law) -> Float:
    """Return the amplitude of the noise of a law on the half plane of `rfft2`, floor 1."""
    if law == "w":
        return np.ones((shape[0], shape[1] // 2 + 1))
    red = (np.maximum(frequency(shape), LEVEL) / CROSSING) ** SLOPE
    return np.sqrt(1 + red**2)


def micrograph_noise(
    rng: np.random.Generator, optics: Optics, shape: tuple[int, int], law: Law, structural: float
) -> Float:
    """Draw noise; floor and structural part together have unit variance, the red comes on top.

    Parameters
    ----------
    structural
        Share of that variance that the contrast transfer has shaped: ice and lost matter.
    """
    counted = _filtered(rng, amplitude(shape, law), shape)
    transfer = optics.transfer(shape)
    power = _mean_square(transfer, shape)
    ice = _filtered(rng, transfer / np.sqrt(power), shape)
    return np.sqrt(1 - structural) * counted + np.sqrt(structural) * ice


def power(optics: Optics, shape: tuple[int, int], law: Law, structural: float) -> Float:
    """Return the power of `micrograph_noise` on the half plane of `rfft2`: 1 a pixel is white."""
    transfer = optics.transfer(shape)
    ice = transfer**2 / _mean_square(transfer, shape)
    return (1 - structural) * amplitude(shape, law) ** 2 + structural * ice


def _filtered(rng: np.random.Generator, gain: Float, shape: tuple[int, int]) -> Float:
    return fft.irfft2(fft.rfft2(rng.standard_normal(shape)) * gain, shape)


def _mean_square(gain: Float, shape: tuple[int, int]) -> float:
    """Return the mean square over the whole plane of a filter given on half of it."""
    twice = np.full(gain.shape[1], 2.0)
    twice[0] = 1.0
    if shape[1] % 2 == 0:
        twice[-1] = 1.0
    return float(np.sum(gain**2 * twice) / (shape[0] * shape[1]))


def ice_gradient(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Float, Float]:
    """Return how much darker thick ice is, in standard deviations, and its factor on the noise."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = ((x / shape[1] - 0.5) * np.cos(angle) + (y / shape[0] - 0.5) * np.sin(angle)) * 2
    bend = ((x / shape[1] - rng.random()) ** 2 + (y / shape[0] - rng.random()) ** 2) - 0.3
    thick = rng.uniform(0.1, 0.45) * ramp + rng.normal(0, 0.4) * bend
    return thick, 1 + 0.1 * thick
