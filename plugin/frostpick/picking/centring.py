"""Where a pick lies between the cells of the score map: the middle of all that scores high.

A network is taught that a whole disc around the centre is particle, so its logits are flat
at the top and their highest cell wanders with the noise. The centre of mass over the disc
averages that out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.sampling import Sampling

Floats = NDArray[np.float64]
#: Weight of a cell: ``exp(SHARPNESS * (its logit - the peak's))``.
SHARPNESS = 0.5
#: Passes; the window follows the centre.
PASSES = 4
#: Farthest that a centre may lie from its cell along an axis, in cells.
LIMIT = 1.0
#: Smaller windows, in cells, hold too little to weigh; larger ones are cut to this.
SMALLEST, LARGEST = 1.5, 4.0


def centre_of_mass(
    logits: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    first: Floats,
    sampling: Sampling,
    radius_px: float,
) -> Floats:
    """Return offsets ``(n, 2)`` in cells from each cell to the centre of mass around it.

    A cell outside the map or without a finite logit counts for nothing, and neither does
    the one opposite: half a window must not pull the centre.

    Parameters
    ----------
    logits
        ``(oh, ow)`` float32.
    rows, columns
        ``(n,)`` cells of the peaks.
    first
        ``(n, 2)`` offsets to begin with, in cells; returned where the window is too small.
    sampling
        Of the map, in micrograph pixels.
    radius_px
        Radius of the window in micrograph pixels.
    """
    step_y, step_x = sampling.step_yx
    radius_px = min(radius_px, LARGEST * min(step_y, step_x))
    if not len(rows) or radius_px < SMALLEST * max(step_y, step_x):
        return first
    reach_y, reach_x = (int(np.ceil(radius_px / step)) + 1 for step in (step_y, step_x))
    i, j = np.arange(-reach_y, reach_y + 1), np.arange(-reach_x, reach_x + 1)
    around = np.pad(
        logits.astype(np.float64), ((reach_y,) * 2, (reach_x,) * 2), constant_values=np.nan
    )
    near = around[
        rows[:, None, None] + reach_y + i[:, None], columns[:, None, None] + reach_x + j[None, :]
    ]
    higher = np.minimum(near - logits[rows, columns].astype(np.float64)[:, None, None], 0.0)
    weight = np.where(np.isfinite(higher), np.exp(SHARPNESS * higher), 0.0)
    weight[weight[:, ::-1, ::-1] == 0.0] = 0.0
    offset = first
    for _ in range(PASSES):
        y = (i[:, None] - offset[:, 0, None, None]) * step_y
        x = (j[None, :] - offset[:, 1, None, None]) * step_x
        # a rim one cell wide in which the weight falls to zero
        rim = np.clip((radius_px - np.hypot(y, x)) / max(step_y, step_x) + 0.5, 0.0, 1.0)
        mass = weight * rim
        total = mass.sum((1, 2))
        moved = np.stack(
            [(mass * i[:, None]).sum((1, 2)) / total, (mass * j[None, :]).sum((1, 2)) / total],
            axis=1,
        )
        offset = np.clip(moved, -LIMIT, LIMIT)
    return offset
