"""The one way from a micrograph to the image a network sees, in training and in picking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import MicrographError
from frostpick.preprocess.contrast import contrast_vote, decide_contrast
from frostpick.preprocess.hot_pixels import hot_pixel_bounds
from frostpick.preprocess.normalise import NormalisationSpec, full_constants, normalise
from frostpick.preprocess.rescale import FACTORS, rescale
from frostpick.sampling import Sampling
from frostpick.settings import Contrast


@dataclass(frozen=True)
class WorkingImage:
    """A micrograph at the scale and in the grey levels of a network.

    Parameters
    ----------
    data
        ``(h, w)`` float32: ice 0 with deviation 1, particles negative.
    sampling
        Its grid in micrograph pixels.
    """

    data: torch.Tensor
    sampling: Sampling


def preprocess(
    image: NDArray[np.float32],
    pixel_size_A: float,
    diameter_A: float,
    spec: NormalisationSpec,
    *,
    px_per_diameter: float = 32.0,
    contrast: Contrast = "dark",
    device: torch.device | str = "cpu",
    micrograph_id: str = "image",
) -> WorkingImage:
    """Cut hot pixels, rescale to ``px_per_diameter`` and standardise to the ice.

    Parameters
    ----------
    image
        ``(ny, nx)`` float32, the whole micrograph.
    pixel_size_A, diameter_A
        Pixel size and longest dimension of the particle in Angstrom.
    spec
        Name, version and constants of the normalisation, from the model's card.
    px_per_diameter
        Working pixels a diameter.
    contrast
        Sign of the particles in ``image``; ``auto`` asks this image alone
        (several votes are safer). The working image has dark, negative particles
        whatever the answer.
    device
        Where to compute; the result stays there.
    micrograph_id
        For the error message.

    Raises
    ------
    MicrographError
        The image is constant, not finite, smaller than a particle, or the diameter
        in pixels is outside what can be rescaled.
    """
    constants = full_constants(spec)
    working = working_scale(
        image,
        pixel_size_A,
        diameter_A,
        px_per_diameter=px_per_diameter,
        device=device,
        micrograph_id=micrograph_id,
    )
    data = working.data
    if contrast == "auto":
        contrast = decide_contrast([contrast_vote(data, px_per_diameter)])
    if contrast == "light":
        data = data.neg_()
    try:
        return WorkingImage(normalise(data, px_per_diameter, constants), working.sampling)
    except ValueError as error:
        raise MicrographError(micrograph_id, f"the image cannot be used: {error}") from error


def working_scale(
    image: NDArray[np.float32],
    pixel_size_A: float,
    diameter_A: float,
    *,
    px_per_diameter: float = 32.0,
    device: torch.device | str = "cpu",
    micrograph_id: str = "image",
) -> WorkingImage:
    """Cut hot pixels and rescale, keeping grey levels and sign; the first half of `preprocess`."""
    factor = scale_factor(image.shape, pixel_size_A, diameter_A, px_per_diameter, micrograph_id)
    bounds = hot_pixel_bounds(image)
    if not np.isfinite(bounds).all():
        raise MicrographError(micrograph_id, "it holds values that are not finite numbers")
    data, sampling = rescale(image, factor, pixel_size_A, bounds=bounds, device=device)
    return WorkingImage(data, sampling)


def scale_factor(
    shape: tuple[int, ...],
    pixel_size_A: float,
    diameter_A: float,
    px_per_diameter: float,
    micrograph_id: str,
) -> float:
    """Return working pixel size over micrograph pixel size, or raise `MicrographError`."""
    diameter_px = diameter_A / pixel_size_A
    least, most = (limit * px_per_diameter for limit in FACTORS)
    if not least <= diameter_px <= most:
        raise MicrographError(
            micrograph_id,
            f"a diameter of {diameter_A:g} A at {pixel_size_A:g} A a pixel is {diameter_px:.1f} "
            f"pixels, expected {least:g} to {most:g}; check diameter and pixel size",
        )
    if min(shape) < diameter_px:
        raise MicrographError(
            micrograph_id,
            f"the image ({shape[0]} x {shape[1]} pixels) is smaller than a particle of "
            f"{diameter_px:.1f} pixels; check diameter and pixel size: {diameter_A:g} A at "
            f"{pixel_size_A:g} A a pixel",
        )
    return diameter_px / px_per_diameter
