"""Picks by greedy non-maximum suppression: no two lie nearer than a distance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.centring import centre_of_mass
from frostpick.picking.dense import ScoreMap
from frostpick.picking.peaks import Peaks, refine
from frostpick.sampling import Sampling


def find_peaks(
    scores: ScoreMap,
    min_distance_px: float,
    floor_logit: float,
    max_peaks: int,
    centring_px: float | None = None,
) -> Peaks:
    """Return the picks of greedy disc suppression, refined between the cells.

    From the highest logit down, ties in the order of rows then columns, a cell is a
    peak unless it lies nearer than ``min_distance_px`` to a peak found before (an open
    disc: exactly that distance is allowed). Every peak then moves to the top of a
    parabola through its 3 x 3 neighbours, by half a cell at most along each axis, or, with
    ``centring_px``, to the centre of mass within that radius, by a cell at most: two peaks
    may come nearer by that much each. The logit stays that of the cell.

    Parameters
    ----------
    scores
        Logits with their sampling; NaN is never a peak.
    min_distance_px
        Smallest distance between the cells of two peaks, in micrograph pixels.
    floor_logit
        Cells below are no peaks.
    max_peaks
        Stop after so many.
    centring_px
        Radius in micrograph pixels of `frostpick.picking.centring.centre_of_mass`.
    """
    logits = scores.logits.detach().to("cpu").numpy()
    rows, columns = greedy_discs(logits, scores.sampling, min_distance_px, floor_logit, max_peaks)
    offset = refine(logits, rows, columns)
    if centring_px is not None:
        offset = centre_of_mass(logits, rows, columns, offset, scores.sampling, centring_px)
    at = scores.sampling.to_parent(np.stack([rows, columns], axis=1) + offset)
    return Peaks(at[:, 0], at[:, 1], logits[rows, columns].astype(np.float64))


def greedy_discs(
    logits: NDArray[np.float32],
    sampling: Sampling,
    min_distance_px: float,
    floor_logit: float,
    max_peaks: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the peaks of ``logits`` ``(oh, ow)``, best first.

    One stamp of the disc for every peak into a map with a margin, so that no disc
    is cut at the border or wraps around it.
    """
    disc = open_disc(sampling, min_distance_px)
    ry, rx = disc.shape[0] // 2, disc.shape[1] // 2
    flat = np.flatnonzero(logits >= floor_logit)
    order = flat[np.argsort(-logits.ravel()[flat], kind="stable")]
    rows, columns = np.divmod(order, logits.shape[1])
    taken = np.zeros((logits.shape[0] + 2 * ry, logits.shape[1] + 2 * rx), np.bool_)
    peaks: list[int] = []
    for number, (y, x) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        if taken[y + ry, x + rx]:
            continue
        if len(peaks) == max_peaks:
            break
        peaks.append(number)
        taken[y : y + 2 * ry + 1, x : x + 2 * rx + 1] |= disc
    return rows[peaks], columns[peaks]


def open_disc(sampling: Sampling, radius_px: float) -> NDArray[np.bool_]:
    """Return which cells around a cell lie nearer than ``radius_px``, itself included.

    A disc larger than the map is cut to what can lie in it.
    """
    reach = [
        min(math.ceil(radius_px / step), side - 1)
        for step, side in zip(sampling.step_yx, sampling.shape, strict=True)
    ]
    dy, dx = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    near = (dy * sampling.step_yx[0]) ** 2 + (dx * sampling.step_yx[1]) ** 2 < radius_px**2
    near[reach[0], reach[1]] = True
    return np.asarray(near, np.bool_)
