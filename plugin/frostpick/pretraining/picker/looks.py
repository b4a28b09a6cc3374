"""How a user's micrograph looks when it is picked: raw, or after what users do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from frostpick.pretraining.picker.denoiser import Denoiser
from frostpick.pretraining.picker.filters import (
    binned,
    dose_weighted,
    eight_bit,
    gaussian_low_pass,
    sharp_low_pass,
    wiener,
)

Generator = np.random.Generator
Image = NDArray[np.float32]

#: Shares of the looks; they add up to 1.
SHARES = {
    "raw": 0.70,
    "denoised": 0.14,
    "dose_weighted": 0.05,
    "wiener": 0.04,
    "gaussian": 0.03,
    "sharp": 0.025,
    "median": 0.015,
}
#: Share of the denoised ones that go through all denoisers in turn: the smoothest.
TWICE = 0.2
#: Share of the denoised ones that some of the raw image is mixed into.
BLENDED = 0.35
#: Shares that are stored in 8 bits, stretched, or binned, of the raw and of the other ones.
EIGHT_BIT, STRETCHED, BINNED = (0.06, 0.25), (0.02, 0.10), (0.05, 0.15)
#: Fewest pixels a diameter after binning.
LEAST_DIAMETER_PX = 14.0


def apply_look(
    rng: Generator,
    image: Image,
    pixel_size_A: float,
    diameter_A: float,
    denoisers: Sequence[Denoiser],
) -> tuple[Image, int]:
    """Draw a look and give it to a micrograph.

    Parameters
    ----------
    rng
        A stream of its own: the raw look, 70 %, leaves most images as they are.
    image
        ``(ny, nx)`` float32, raw.
    denoisers
        One is drawn of them, or all in turn; without any, their share is filtered by the
        image's own spectrum.

    Returns
    -------
    ndarray
        float32, ``(ny // step, nx // step)``.
    int
        Pixels of ``image`` a pixel along each axis, 1 or 2. Positions go over as
        `frostpick.pretraining.picker.filters.binned_sampling` says:
        ``(x - (step - 1) / 2) / step``.
    """
    look = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    other = int(look != "raw")
    room = diameter_A / pixel_size_A >= 2 * LEAST_DIAMETER_PX
    step = 2 if rng.random() < BINNED[other] and room else 1
    # half of those who bin do so first
    if step == 2 and rng.random() < 0.5:
        made = _looked(rng, look, binned(image, 2), 2 * pixel_size_A, diameter_A, denoisers)
    else:
        made = _looked(rng, look, image, pixel_size_A, diameter_A, denoisers)
        made = binned(made, step) if step == 2 else made
    if rng.random() < STRETCHED[other]:
        made = _stretched(rng, made)
    if rng.random() < EIGHT_BIT[other]:
        made = eight_bit(made, *_limits(rng, made))
    return made, step


def _looked(
    rng: Generator,
    look: str,
    image: Image,
    pixel_size_A: float,
    diameter_A: float,
    denoisers: Sequence[Denoiser],
) -> Image:
    if look == "raw":
        return image
    if look == "denoised" and denoisers:
        clean = _denoised(rng, image, denoisers)
        if rng.random() < BLENDED:
            raw = np.float32(rng.uniform(0.05, 0.5))
            clean = clean + raw * (image - clean)
        return clean
    if look == "dose_weighted":
        return dose_weighted(image, pixel_size_A, rng.uniform(25.0, 80.0))
    if look in ("wiener", "denoised"):
        return wiener(image, rng.uniform(0.7, 1.05))
    if look == "median":
        return np.asarray(median_filter(image, 3, mode="mirror"), np.float32)
    low_pass: Callable[[Image, float], Image]
    low_pass = gaussian_low_pass if look == "gaussian" else sharp_low_pass
    if rng.random() < 0.5:
        cut_px = rng.uniform(10.0, 40.0) / pixel_size_A
    else:
        cut_px = rng.uniform(2.0, 6.0)
    # a user who sees particles has left at least three periods of them
    return low_pass(image, float(np.clip(cut_px, 2.0, diameter_A / pixel_size_A / 3)))


def _denoised(rng: Generator, image: Image, denoisers: Sequence[Denoiser]) -> Image:
    if rng.random() < TWICE:
        for each in denoisers:
            image = each(image)
        return image
    return denoisers[int(rng.integers(len(denoisers)))](image)


def _limits(rng: Generator, image: Image) -> tuple[float, float]:
    """Return the grey levels that become black and white."""
    if rng.random() < 0.5:
        low, high = np.percentile(image[::2, ::2], [0.05, 99.95])
        return float(low), float(high)
    mean, spread = float(image.mean()), rng.uniform(3.0, 5.0) * float(image.std())
    return mean - spread, mean + spread


def _stretched(rng: Generator, image: Image) -> Image:
    """Cut up to 2 % of the pixels at either end and bend the scale of grey levels."""
    ends = rng.uniform(0.05, 2.0, 2)
    low, high = np.percentile(image[::2, ::2], [ends[0], 100 - ends[1]])
    share = np.clip((image - low) / max(float(high - low), 1e-30), 0, 1)
    return np.asarray(share ** rng.uniform(0.7, 1.4), np.float32)
