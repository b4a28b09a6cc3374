"""The contrast transfer function of the microscope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray


def electron_wavelength_A(voltage_kV: float) -> float:
    """Return the relativistic wavelength in Angstrom (0.01969 at 300 kV)."""
    volts = voltage_kV * 1e3
    return float(12.2643247 / np.sqrt(volts * (1.0 + 0.978466e-6 * volts)))


@dataclass(frozen=True)
class Ctf:
    """Weak-phase contrast transfer with an envelope.

    Parameters
    ----------
    defocus_A
        Underfocus in Angstrom, positive.
    voltage_kV, spherical_aberration_mm, amplitude_contrast
        Of the microscope.
    b_factor_A2
        The envelope is ``exp(-b k^2 / 4)``.
    """

    defocus_A: float
    voltage_kV: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.1
    b_factor_A2: float = 0.0

    def __call__(self, k_per_A: ArrayLike) -> NDArray[np.float64]:
        """Return the transfer at spatial frequencies; negative at 0, so that protein is dark.

        ``-sin(pi lambda z k^2 - pi/2 Cs lambda^3 k^4 + arcsin(A)) exp(-b k^2 / 4)``,
        Mindell and Grigorieff (2003), J. Struct. Biol. 142, 334.
        """
        k2 = np.square(np.asarray(k_per_A, np.float64))
        wavelength = electron_wavelength_A(self.voltage_kV)
        aberration_A = self.spherical_aberration_mm * 1e7
        phase = (
            np.pi * wavelength * self.defocus_A * k2
            - 0.5 * np.pi * aberration_A * wavelength**3 * k2 * k2
            + np.arcsin(self.amplitude_contrast)
        )
        return np.asarray(-np.sin(phase) * np.exp(-0.25 * self.b_factor_A2 * k2))


def frequencies_per_A(shape: tuple[int, int], pixel_size_A: float) -> NDArray[np.float64]:
    """Return the spatial frequency of each element of ``rfft2`` of an image of that shape."""
    ky = scipy.fft.fftfreq(shape[0], pixel_size_A)
    kx = scipy.fft.rfftfreq(shape[1], pixel_size_A)
    return np.hypot(ky[:, None], kx[None, :])


def filtered(image: NDArray[np.float32], transfer: NDArray[np.float64]) -> NDArray[np.float32]:
    """Multiply the Fourier transform of a periodic image by ``transfer`` (rfft2 layout)."""
    spectrum = scipy.fft.rfft2(image)
    spectrum *= transfer.astype(np.float32)
    out: NDArray[np.float32] = scipy.fft.irfft2(spectrum, s=image.shape)
    return out
