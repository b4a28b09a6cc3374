"""A small picture of a micrograph for reports."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.preprocess.hot_pixels import hot_pixel_bounds
from frostpick.preprocess.rescale import rescale

#: Longest side of a preview in pixels.
LONGEST = 800
#: Grey levels shown around the median, in robust deviations: carbon may go black, ice not white.
REACH = 4.0


def make_preview(
    image: NDArray[np.float32], diameter_px: float, device: torch.device
) -> NDArray[np.uint8]:
    """Return a picture with the micrograph's own sign, its corners on the micrograph's corners.

    Parameters
    ----------
    image
        ``(ny, nx)`` float32.
    diameter_px
        Particle diameter in its pixels; details finer than a twelfth of it are averaged,
        as far as the picture's own pixels are smaller than that.
    device
        Where to compute.

    Returns
    -------
    ndarray
        ``(h, w)`` uint8, longest side at most ``LONGEST``; preview pixel = micrograph
        pixel times ``h / ny`` (and ``w / nx``) within half a preview pixel.
    """
    factor = max(1.0, max(image.shape) / (LONGEST - 2))
    small, sampling = rescale(image, factor, 1.0, bounds=hot_pixel_bounds(image), device=device)
    height, width = (
        min(side, round(full / step))
        for side, full, step in zip(small.shape, image.shape, sampling.step_yx, strict=True)
    )
    smooth = _box(small[:height, :width], round(diameter_px / sampling.step_yx[0] / 12))
    middle = smooth.median()
    spread = REACH * 1.4826 * (smooth - middle).abs().median()
    grey = 127.5 + 127.5 * (smooth - middle) / spread.clamp_min(1e-30)
    return grey.round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def _box(image: torch.Tensor, side: int) -> torch.Tensor:
    """Return running means over an odd number of pixels, about ``side``."""
    side = max(1, side) // 2 * 2 + 1
    averaged: torch.Tensor = torch.nn.functional.avg_pool2d(
        image[None, None], side, 1, side // 2, count_include_pad=False
    )
    return averaged[0, 0]
