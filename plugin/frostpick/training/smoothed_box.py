"""A box around a place, to be looked at: less noisy than the image, and whole at its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def smoothed_box(
    pixels: NDArray[np.float32], yx: NDArray[np.float64], side_px: float, sigma_px: float
) -> NDArray[np.float32]:
    """Cut a smoothed box; beyond the edge of the image its edge goes on.

    Parameters
    ----------
    pixels
        ``(h, w)``.
    yx
        ``(2,)`` its centre, in these pixels.
    side_px, sigma_px
        Its side, 4 pixels at least, and the deviation of the Gaussian.
    """
    half = max(2, round(side_px / 2))
    reach = np.arange(-2 * half, 2 * half + 1)
    rows, columns = (
        np.clip(round(float(at)) + reach, 0, size - 1)
        for at, size in zip(yx, pixels.shape, strict=True)
    )
    box = gaussian_filter(np.asarray(pixels[rows[:, None], columns], np.float32), sigma_px)
    return np.asarray(box[half:-half, half:-half], np.float32)
