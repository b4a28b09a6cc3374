"""Bounds that cut X-rays and hot pixels of a micrograph and nothing else."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from frostpick.preprocess.order import order_statistics

#: Fraction of the pixels beyond which the tails are measured, and how far the bounds
#: lie outside: for Gaussian noise twice 3.09 standard deviations.
TAIL = 0.001
REACH = 2.0
#: The quantiles are taken from about this many pixels on a regular grid.
SAMPLE = 1 << 18


def hot_pixel_bounds(image: NDArray[np.float32]) -> tuple[float, float]:
    """Return the range outside which a pixel is an artefact of the detector.

    The median plus ``REACH`` times its distance to the quantiles ``TAIL`` and
    ``1 - TAIL``: unmoved by any fraction of hot pixels below ``TAIL``, wide where
    strong features (gold, crystals) are part of the image. Clipping to the bounds
    does not change them. Where a tail is empty (an image of few values) the range
    of the data is returned; it is not finite where more than the tails are not.

    Parameters
    ----------
    image
        ``(ny, nx)`` float32.
    """
    stride = max(1, int(np.sqrt(image.size / SAMPLE)))
    sample = image[::stride, ::stride].ravel()
    tail = int(TAIL * (len(sample) - 1))
    ranks = [tail, len(sample) // 2, len(sample) - 1 - tail]
    low, middle, high = order_statistics(sample, ranks)
    if not math.isfinite(high - low):
        return low, high
    lo = middle - REACH * (middle - low)
    hi = middle + REACH * (high - middle)
    if not lo < middle < hi:
        return float(np.min(image)), float(np.max(image))
    return lo, hi
