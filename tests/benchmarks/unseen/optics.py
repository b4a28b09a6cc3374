"""Contrast transfer of a 300 kV microscope, and projections of beads under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Float = NDArray[np.float64]

#: Wavelength of electrons at 300 kV and spherical aberration, Angstrom; amplitude contrast.
WAVELENGTH_A, CS_A, AMPLITUDE = 0.019687, 2.7e7, 0.1
#: Standard deviation of a bead in Angstrom.
BEAD_SIGMA_A = 2.4
#: The grid of beads is finer than the image by this.
FINER = 2


@dataclass(frozen=True)
class Optics:
    """What one micrograph was taken with.

    Parameters
    ----------
    defocus_A
        Underfocus.
    b_factor_A2
        Fall of the amplitude, ``exp(-B k^2 / 4)``.
    """

    pixel_A: float
    defocus_A: float
    b_factor_A2: float

    def transfer(self, shape: tuple[int, int], step: float = 1.0) -> Float:
        """Return CTF times envelope on the half plane of `scipy.fft.rfft2`.

        ``-(sqrt(1 - w^2) sin x + w cos x)``, ``x = pi l dF k^2 - pi/2 Cs l^3 k^4``: matter is
        dark (Wade, Ultramicroscopy 46:145, 1992, with underfocus positive).

        Parameters
        ----------
        step
            Size of a pixel of the grid in pixels of the image.
        """
        k2 = frequency(shape, self.pixel_A * step) ** 2
        x = np.pi * WAVELENGTH_A * k2 * (self.defocus_A - CS_A / 2 * WAVELENGTH_A**2 * k2)
        wave = np.sqrt(1 - AMPLITUDE**2) * np.sin(x) + AMPLITUDE * np.cos(x)
        return -wave * np.exp(-self.b_factor_A2 / 4 * k2)


def frequency(shape: tuple[int, int], pixel: float = 1.0) -> Float:
    """Return the spatial frequency of every term of `scipy.fft.rfft2`, in cycles a length."""
    return np.hypot(fft.fftfreq(shape[0], pixel)[:, None], fft.rfftfreq(shape[1], pixel)[None])


def projected(
    xy_px: Float, weight: Float, shape: tuple[int, int], pixel_A: float
) -> NDArray[np.complex128]:
    """Return the Fourier transform (`scipy.fft.rfft2`) of beads seen as Gaussians.

    Beads go to the four nearest points of a finer grid, whose kernel is divided out again.

    Parameters
    ----------
    xy_px
        ``(n, 2)`` column and row, 0-based pixel centres; beads off the grid come in again on the
        other side, so leave a margin.
    """
    fine = (shape[0] * FINER, shape[1] * FINER)
    at = xy_px * FINER
    low = np.floor(at).astype(np.int64)
    part = at - low
    grid = np.zeros(fine[0] * fine[1])
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            cell = ((low[:, 1] + dy) % fine[0]) * fine[1] + (low[:, 0] + dx) % fine[1]
            grid += np.bincount(cell, weight * share, len(grid))
    found = fft.rfft2(grid.reshape(fine))
    # Only the frequencies of the image itself are kept.
    rows = fft.fftfreq(shape[0], 1 / shape[0]).astype(int)
    found = found[rows][:, : shape[1] // 2 + 1]
    fy, fx = fft.fftfreq(shape[0]) / FINER, fft.rfftfreq(shape[1]) / FINER
    kernel = (np.sinc(fy) ** 2)[:, None] * (np.sinc(fx) ** 2)[None]
    bead = np.exp(-2 * (np.pi * BEAD_SIGMA_A * frequency(shape, pixel_A)) ** 2)
    return found * bead / kernel
