"""What a judge sees of a pick: a box around it, as fine as the network saw it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from frostpick.picking.read import fetch_and_decode
from frostpick.preprocess import working_scale
from frostpick.types import Micrograph

#: Side of a box in diameters, and its pixels a diameter: those of the working image.
SIDE, PX_PER_DIAMETER = 2.0, 32.0
#: Deviation of the Gaussian that takes the noise of the finest pixels, in pixels, and how many
#: deviations it reaches.
SMOOTH, REACH = 1.2, 3.4


def boxes_around(
    micrograph: Micrograph,
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    pixel_size_A: float,
    diameter_A: float,
) -> list[NDArray[np.float32]]:
    """Return a box of two diameters around each place, with the micrograph's own sign.

    Parameters
    ----------
    x_px, y_px
        ``(n,)`` column and row of the centres.
    pixel_size_A, diameter_A
        Of the micrograph, and longest dimension of the particle, in Angstrom.

    Returns
    -------
    list of ndarray
        ``(side, side)`` float32, `PX_PER_DIAMETER` pixels a diameter; NaN off the micrograph.

    Raises
    ------
    MicrographError
        The file cannot be had or decoded, or is of another scale.
    """
    image = fetch_and_decode(micrograph).data
    working = working_scale(
        image,
        pixel_size_A,
        diameter_A,
        px_per_diameter=PX_PER_DIAMETER,
        micrograph_id=micrograph.id,
    )
    smooth = gaussian_filter(working.data.numpy(), SMOOTH, mode="mirror", truncate=REACH)
    half = round(SIDE * PX_PER_DIAMETER / 2)
    (step_y, step_x), found = working.sampling.step_yx, []
    height = min(smooth.shape[0], math.floor((image.shape[0] - 1) / step_y) + 1)
    width = min(smooth.shape[1], math.floor((image.shape[1] - 1) / step_x) + 1)
    for x, y in zip(x_px, y_px, strict=True):
        row, column = round(float(y) / step_y), round(float(x) / step_x)
        box = np.full((2 * half, 2 * half), np.nan, np.float32)
        top, left = max(row - half, 0), max(column - half, 0)
        part = smooth[top : min(row + half, height), left : min(column + half, width)]
        at_y, at_x = top - (row - half), left - (column - half)
        box[at_y : at_y + part.shape[0], at_x : at_x + part.shape[1]] = part
        found.append(box)
    return found
