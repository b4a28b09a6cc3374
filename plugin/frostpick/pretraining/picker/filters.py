"""What users do to micrographs before they pick: classical filters, grey levels, binning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from frostpick.sampling import Sampling

Float = NDArray[np.float64]
Image = NDArray[np.float32]

#: Rings of the radial power spectrum.
RINGS = 128
#: Share of the highest frequencies whose power is taken for that of the noise.
NOISE_BAND = 0.15


def filtered(image: Image, transfer: Callable[[Float], Float]) -> Image:
    """Multiply the spectrum of an image by a function of the frequency; no shift, no wrap.

    The image goes on mirrored at its borders: the cosine transform.

    Parameters
    ----------
    image
        ``(ny, nx)`` float32.
    transfer
        From frequencies in cycles a pixel, any shape, to factors.
    """
    spectrum = scipy.fft.dctn(image, norm="ortho", overwrite_x=False)
    spectrum *= transfer(_frequencies(image.shape)).astype(np.float32)
    restored: Image = scipy.fft.idctn(spectrum, norm="ortho", overwrite_x=True)
    return restored.astype(np.float32, copy=False)


def _frequencies(shape: tuple[int, ...]) -> Float:
    """Return the cycles a pixel of each cosine, ``shape`` float64."""
    ky, kx = (np.arange(n) / (2 * n) for n in shape)
    return np.asarray(np.hypot(ky[:, None], kx[None, :]))


def radial_power(image: Image) -> tuple[Float, Float]:
    """Return frequencies in cycles a pixel, and the mean power at them, both ``(n,)``.

    White noise of variance 1 has the power 1 everywhere; `RINGS` rings up to half a cycle
    a pixel, those without a cosine left out.
    """
    power = np.square(scipy.fft.dctn(image, norm="ortho"), dtype=np.float64)
    power[0, 0] = 0.0
    ring = np.minimum((_frequencies(image.shape) * 2 * RINGS).astype(np.intp), RINGS)
    count = np.bincount(ring.ravel(), minlength=RINGS + 1)[:RINGS]
    total = np.bincount(ring.ravel(), power.ravel(), minlength=RINGS + 1)[:RINGS]
    seen = count > 0
    middle = (np.arange(RINGS) + 0.5) / (2 * RINGS)
    return middle[seen], total[seen] / count[seen]


def wiener(image: Image, strength: float = 1.0) -> Image:
    """Filter by ``1 - strength * noise / power``, both from the image's own power spectrum.

    The noise is taken for white, with the power at the highest frequencies.
    """
    k, power = radial_power(image)
    noise = strength * float(np.median(power[k > 0.5 * (1 - NOISE_BAND)]))
    kept = np.clip(1 - noise / np.maximum(power, 1e-30), 0.0, 1.0)
    kept[0] = 1.0  # the slope of the ice
    return filtered(image, lambda at: np.interp(at, k, kept))


def gaussian_low_pass(image: Image, cut_px: float) -> Image:
    """Damp to one half at a period of ``cut_px`` pixels, by a Gaussian of the frequency."""
    return filtered(image, lambda k: np.exp(-np.log(2.0) * (k * cut_px) ** 2))


def sharp_low_pass(image: Image, cut_px: float) -> Image:
    """Remove every period shorter than ``cut_px`` pixels."""
    return filtered(image, lambda k: (k * cut_px <= 1.0).astype(np.float64))


def critical_exposure(k_per_A: Float) -> Float:
    """Return the exposure in e/A2 after which a signal at 300 kV is down to exp(-1/2).

    ``0.245 k^-1.665 + 2.81``: Grant & Grigorieff 2015, eLife 4:e06980, equation 3.
    """
    k = np.maximum(k_per_A, 1e-4)
    return np.asarray(0.245 * k**-1.665 + 2.81)


def dose_weight(k_per_A: Float, exposure_e_A2: float) -> Float:
    """Return the amplitude that white noise keeps in a dose-weighted sum of frames.

    A frame after the exposure ``n`` has the weight ``exp(-n / (2 c))``, ``c`` the critical
    exposure; no renormalisation. The noise of many thin frames adds up by its power, whose
    mean over the exposure ``N`` is ``(1 - exp(-N / c)) * c / N``.
    """
    ratio = exposure_e_A2 / critical_exposure(k_per_A)
    return np.asarray(np.sqrt(-np.expm1(-ratio) / ratio))


def dose_weighted(image: Image, pixel_size_A: float, exposure_e_A2: float) -> Image:
    """Damp the image as the noise of a dose-weighted sum of frames is damped."""
    return filtered(image, lambda k: dose_weight(k / pixel_size_A, exposure_e_A2))


def eight_bit(image: Image, low: float, high: float) -> Image:
    """Return integers 0 to 255 as float32; ``low`` and what is below become 0."""
    scale = np.float32(255.0 / max(high - low, 1e-30))
    grey = (np.clip(image, low, high) - np.float32(low)) * scale
    return np.asarray(np.round(grey), np.float32)


def binned_sampling(shape: tuple[int, int], pixel_size_A: float, step: int) -> Sampling:
    """Return where the means of ``step`` x ``step`` pixels lie in an image of ``shape``.

    Mean ``i`` has its centre at ``step * i + (step - 1) / 2``. Rows and columns that do not
    fill a mean are left out.
    """
    whole = Sampling.identity(shape, pixel_size_A)
    if step == 1:
        return whole
    side = (shape[0] // step, shape[1] // step)
    middle = (step - 1) / 2
    return whole.child(side, (float(step), float(step)), (middle, middle))


def binned(image: Image, step: int) -> Image:
    """Return the means of ``step`` x ``step`` pixels, float32."""
    h, w = (n // step for n in image.shape)
    cut = image[: h * step, : w * step].reshape(h, step, w, step)
    return np.asarray(cut.mean(axis=(1, 3)), np.float32)
