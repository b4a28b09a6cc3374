"""Microscope and ice: a CTF and three kinds of noise, of this benchmark alone.

Nothing here is shared with `frostpick.simulate`, on whose micrographs models are trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Float = NDArray[np.float64]

#: Electron wavelength at 300 kV and spherical aberration, in Angstrom; amplitude contrast.
WAVELENGTH_A, CS_A, AMPLITUDE = 0.019687, 2.7e7, 0.1
#: Amplitude of red noise goes with frequency as this power, flat below 1 / (8 diameters).
RED_SLOPE, RED_FLAT = -1.2, 1 / 8


@dataclass(frozen=True)
class Film:
    """What differs from one micrograph to the next.

    Parameters
    ----------
    defocus_A, b_factor_A2
        Underfocus, and the envelope ``exp(-b k^2 / 4)``.
    structural
        Share of the white noise's and structural noise's power that is structural.
    red
        Power of the red noise at one over the diameter, white and structural noise having
        variance 1.
    ice
        Half of the difference between the thickest and the thinnest ice's grey levels.
    """

    defocus_A: float
    b_factor_A2: float
    structural: float
    red: float
    ice: float


def random_film(rng: np.random.Generator, defocus_A: float) -> Film:
    """Draw a film in the ranges of the development data."""
    return Film(
        defocus_A,
        rng.uniform(80.0, 250.0),
        rng.uniform(0.35, 0.65),
        rng.uniform(0.7, 1.7),
        rng.uniform(0.2, 0.8),
    )


def frequency_per_A(shape: tuple[int, int], pixel_A: float) -> Float:
    """Return the spatial frequency of every element of ``rfft2``, in 1/Angstrom."""
    rows = scipy.fft.fftfreq(shape[0], pixel_A)[:, None]
    return np.asarray(np.hypot(rows, scipy.fft.rfftfreq(shape[1], pixel_A)[None, :]))


def transfer(k: Float, film: Film) -> Float:
    """Return the contrast transfer, negative at small ``k``: protein is dark.

    ``chi = pi lambda k^2 (defocus - lambda^2 Cs k^2 / 2)``; the transfer is ``-(sqrt(1 - A^2)
    sin chi + A cos chi)`` times the envelope (Mindell and Grigorieff 2003, eqs. 3 and 4).
    """
    k2 = k * k
    chi = np.pi * WAVELENGTH_A * k2 * (film.defocus_A - 0.5 * WAVELENGTH_A**2 * CS_A * k2)
    phase = np.sqrt(1 - AMPLITUDE**2) * np.sin(chi) + AMPLITUDE * np.cos(chi)
    return np.asarray(-phase * np.exp(-film.b_factor_A2 * k2 / 4))


def filtered(image: Float, response: Float) -> Float:
    """Return an image with its ``rfft2`` multiplied by a response."""
    return np.asarray(scipy.fft.irfft2(scipy.fft.rfft2(image) * response, s=image.shape))


def noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    pixel_A: float,
    diameter_A: float,
    film: Film,
) -> Float:
    """Return white, structural and red noise and a slope of the ice, ``shape`` float64."""
    k = frequency_per_A(shape, pixel_A)
    structure = filtered(rng.standard_normal(shape), transfer(k, film))
    image = structure * np.sqrt(film.structural / structure.var())
    image += rng.standard_normal(shape) * np.sqrt(1 - film.structural)
    response = np.maximum(k * diameter_A, RED_FLAT) ** RED_SLOPE
    response[0, 0] = 0.0
    image += filtered(rng.standard_normal(shape), response) * np.sqrt(film.red)
    angle = rng.uniform(0.0, 2 * np.pi)
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    slope = np.cos(angle) * x + np.sin(angle) * y
    return np.asarray(image + film.ice * slope / np.abs(slope).max())
