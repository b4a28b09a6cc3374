"""Recall by how large a view is, at equal precision, as a share of the matched filter's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from accuracy.matching import Matched
from numpy.typing import NDArray

Float = NDArray[np.float64]

#: A bin of fewer particles says nothing.
LEAST = 100
#: Bins begin and end at multiples of this share of the diameter.
GRAIN = 0.05
#: Folded tilt in degrees below which a view is one along the axis.
ALONG_BELOW = 45.0
#: Precision that both pickers are cut at.
PRECISION = 0.9


def wilson(hits: float, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the Wilson interval of a binomial share (J. Am. Stat. Assoc. 22:209, 1927)."""
    if trials == 0:
        return 0.0, 1.0
    p, z2 = hits / trials, z * z / trials
    middle = (p + z2 / 2) / (1 + z2)
    half = z * np.sqrt(p * (1 - p) / trials + z2 / (4 * trials)) / (1 + z2)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def edges(extent: Float, least: int = LEAST) -> Float:
    """Return the edges of bins of projected extent that hold at least so many particles each.

    From the smallest views on, a bin ends at the first multiple of `GRAIN` at which it holds
    enough; what remains at the end belongs to the last. All particles are in one bin where they
    are too few for two.
    """
    grid = np.arange(0, round(1 / GRAIN) + 1) * GRAIN
    counts = np.histogram(np.clip(extent, 0, grid[-1]), grid)[0]
    found, held = [0.0], 0
    for end, count in zip(grid[1:], counts, strict=True):
        held += int(count)
        if held >= least:
            found.append(float(end))
            held = 0
    if len(found) == 1:
        found.append(float(grid[-1]))
    found[-1] = float(grid[-1])
    return np.array(found)


def threshold(matched: Matched, precision: float = PRECISION) -> float:
    """Return the lowest score at which the precision is reached, +inf where it never is."""
    reached = np.cumsum(matched.true) / np.arange(1, len(matched.true) + 1)
    good = np.flatnonzero(reached >= precision)
    return float(matched.score[good[-1]]) if len(good) else float("inf")


def found(matched: Matched, precision: float = PRECISION) -> NDArray[np.bool_]:
    """Tell which particles are found at a precision, in the order of ``matched.particles``."""
    return matched.found_at >= threshold(matched, precision)


@dataclass(frozen=True)
class Bin:
    """The particles whose views are about as large.

    Parameters
    ----------
    low, high
        Projected extent as a share of the diameter.
    view
        ``along`` or ``across`` the axis where the two were told apart, or nothing.
    particles
        How many there are.
    recall, limit
        Of the picker (mean over draws), and of the matched filter.
    hollow
        Their mean hollowness.
    """

    low: float
    high: float
    view: str
    particles: int
    recall: float
    limit: float
    hollow: float

    @property
    def share(self) -> float:
        """Recall as a share of the matched filter's; NaN where that finds nothing."""
        return self.recall / self.limit if self.limit > 0 else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson interval of the recall, over the matched filter's, which is taken as known."""
        low, high = wilson(self.recall * self.particles, self.particles)
        return (low / self.limit, high / self.limit) if self.limit > 0 else (0.0, float("inf"))


def binned_recall(
    extent: Float,
    hollow: Float,
    tilt: Float,
    found_by_draw: Sequence[NDArray[np.bool_]],
    found_by_limit: NDArray[np.bool_],
    least: int = LEAST,
) -> list[Bin]:
    """Return recall by bins of projected extent.

    Flat and round things are as large from above as on edge: a bin is parted by views along and
    across the axis where either part holds enough particles.

    Parameters
    ----------
    tilt
        ``(n,)`` angle of view and axis in degrees, 0 to 90.
    found_by_draw
        One array ``(n,)`` a draw of labels.
    """
    cuts = edges(extent, least)
    number = np.clip(np.searchsorted(cuts, extent, side="right") - 1, 0, len(cuts) - 2)
    mean = np.mean(found_by_draw, axis=0)
    bins = []
    for k in range(len(cuts) - 1):
        here = number == k
        along, across = here & (tilt < ALONG_BELOW), here & (tilt >= ALONG_BELOW)
        parts = {"along": along, "across": across}
        if min(along.sum(), across.sum()) < least:
            parts = {"": here}
        for view, own in parts.items():
            if own.any():
                recall, limit = float(mean[own].mean()), float(found_by_limit[own].mean())
                size = float(cuts[k]), float(cuts[k + 1])
                bins.append(
                    Bin(*size, view, int(own.sum()), recall, limit, float(hollow[own].mean()))
                )
    return bins


def worst(bins: Sequence[Bin], least: int = LEAST) -> Bin | None:
    """Return the bin with the lowest share among those that hold enough particles."""
    usable = [b for b in bins if b.particles >= least and b.limit > 0]
    return min(usable, key=lambda b: b.share) if usable else None
