"""Noise of ice and camera: white, red, and shaped by the CTF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.camera.ctf import Ctf, filtered, frequencies_per_A

Image = NDArray[np.float32]

_RED_SLOPE = 1.2  # of the amplitude


def white(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Return independent normal noise of variance 1, ``shape`` float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def structural(
    rng: np.random.Generator, shape: tuple[int, int], pixel_size_A: float, ctf: Ctf
) -> Image:
    """Return the image of a random weak-phase object (amorphous ice or carbon), variance 1."""
    return _shaped(rng, shape, ctf(frequencies_per_A(shape, pixel_size_A)))


def red(
    rng: np.random.Generator, shape: tuple[int, int], pixel_size_A: float, corner_A: float
) -> Image:
    """Return noise of amplitude ``(k * corner)^-1.2``: power 1 at the frequency ``1 / corner``.

    Flat below a thousandth of the frequency band, so that a larger image does not
    make the mean wander without bound.
    """
    k = frequencies_per_A(shape, pixel_size_A)
    lowest = 1.0 / (16.0 * corner_A)
    amplitude = (np.maximum(k, lowest) * corner_A) ** -_RED_SLOPE
    amplitude[0, 0] = 0.0
    return filtered(white(rng, shape), amplitude)


def _shaped(
    rng: np.random.Generator, shape: tuple[int, int], transfer: NDArray[np.float64]
) -> Image:
    noise = filtered(white(rng, shape), transfer)
    return noise / np.float32(noise.std())


def thickness(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Return a smooth map of the thickness of the ice: mean 0, about -1 to 1, float32.

    A plane plus a bowl in random directions.
    """
    y, x = np.meshgrid(
        np.linspace(-1, 1, shape[0], dtype=np.float32),
        np.linspace(-1, 1, shape[1], dtype=np.float32),
        indexing="ij",
    )
    a = rng.normal(size=5).astype(np.float32)
    field: Image = a[0] * x + a[1] * y + 0.5 * (a[2] * x * x + a[3] * y * y + a[4] * x * y)
    field -= field.mean()
    return field / max(float(np.abs(field).max()), 1e-6)
