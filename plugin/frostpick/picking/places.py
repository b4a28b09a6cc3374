"""Do positions fit the images, and if not, what would: the check of all coordinates of a job.

The grey levels in rings around a particle differ from those around any other place, be it dark,
light or hollow. The mean over all positions is compared with the same pattern of positions
shifted at random, which is as dense and as clustered: how far it lies from the shifted ones, in
their own covariance, is Hotelling's statistic. No model is asked, so that a particle that no
model knows is seen as well, and labels too few or too faint to differ from chance say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter

from frostpick.picking.readings import EXCHANGED, GIVEN, MIRRORED, SCALED, Reading, filling
from frostpick.preprocess import working_scale
from frostpick.sampling import Sampling

#: Working pixels a diameter.
PX = 12.0
#: Radii in diameters between which the rings lie; the last one is the surroundings.
RINGS = (0.0, 0.25, 0.45, 0.65, 0.95, 1.3)
#: Deviation of the background that is taken off, in diameters, and where grey levels are cut.
BACKGROUND, CUT = 2.0, 3.0
#: Random shifts of the positions, and the seed of their draws.
SHIFTS, SEED = 400, (0, 31)
#: No shift of 400 lies farther from their mean where errors are normal (1 in 50 does). Few
#: positions, or some in one spot, have errors with longer tails, which shorten all distances.
ORDINARY = 5.0
#: Fewest positions that say anything.
FEWEST = 5
#: Standard errors from chance at which a reading is clear, and how many times those of the
#: positions as they are (``tests/benchmarks/places.md``).
CLEAR, TIMES = 6.0, 2.0
#: Part of the positions that another reading must leave inside the micrographs.
INSIDE = 0.9


@dataclass(frozen=True)
class Looked:
    """A micrograph on which there are positions.

    Parameters
    ----------
    rings
        ``(k, h, w)`` float64, at each place the mean grey level of each ring around it less
        that of the surroundings.
    sampling
        Pixels of ``rings`` in the micrograph.
    shape
        Rows and columns of the micrograph.
    xy
        ``(n, 2)`` positions as they were given, in pixels.
    """

    rings: NDArray[np.float64]
    sampling: Sampling
    shape: tuple[int, int]
    xy: NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """What the images say of positions.

    Parameters
    ----------
    given
        How far the positions lie from chance as they are, in standard errors.
    best, reading
        The same of the reading that fits clearly better, and which it is; None for none.
    positions, micrographs
        How many were looked at.
    outside
        How many of them lie outside their micrograph.
    reach
        Largest part of columns or rows that one of them reaches, counted from pixel 0.
    """

    given: float
    best: float
    reading: Reading | None
    positions: int
    micrographs: int
    outside: int
    reach: float


def look(
    image: NDArray[np.float32],
    pixel_size_A: float,
    diameter_A: float,
    xy: NDArray[np.float64],
    micrograph_id: str,
) -> Looked:
    """Return a micrograph as `weigh` needs it; `MicrographError` as `working_scale`."""
    working = working_scale(
        image, pixel_size_A, diameter_A, px_per_diameter=PX, micrograph_id=micrograph_id
    )
    rings = _rings(_even(working.data.numpy().astype(np.float64)))
    return Looked(rings, working.sampling, (image.shape[0], image.shape[1]), xy)


def weigh(looked: Sequence[Looked], reading: Reading) -> float:
    """Return how far positions lie from chance, in standard errors; 0 where too few are inside."""
    random = np.random.default_rng(SEED)
    found, shifted = np.zeros(len(RINGS) - 2), np.zeros((SHIFTS, len(RINGS) - 2))
    count = 0
    for one in looked:
        h, w = one.rings.shape[1:]
        shifts = random.integers((h, w), size=(SHIFTS, 2))
        xy = reading.places(one.xy, one.shape)
        xy = xy[_inside(xy, one.shape)]
        if not len(xy):
            continue
        count += len(xy)
        at = np.rint(one.sampling.from_parent(xy[:, ::-1])).astype(np.int64).clip(0, (h - 1, w - 1))
        found += one.rings[:, at[:, 0], at[:, 1]].sum(1)
        moved = (at + shifts[:, None]) % (h, w)
        shifted += one.rings[:, moved[..., 0], moved[..., 1]].sum(2).T
    if count < FEWEST:
        return 0.0
    centre = shifted.mean(0)
    # an image without any grey levels has no errors either
    inverse = np.asarray(np.linalg.pinv(np.cov(shifted.T)), np.float64)
    chance = float(_distance(shifted - centre, inverse).max())
    far = float(_distance(found - centre, inverse))
    return far * min(1.0, ORDINARY / chance) if chance > 0 else 0.0


def judge(
    looked: Sequence[Looked], readings: Sequence[Reading] = (MIRRORED, EXCHANGED, *SCALED)
) -> Verdict:
    """Compare the positions as they are with other readings of them.

    Where none of these fits, scales by which the positions fill the micrographs are tried.
    """
    given = weigh(looked, GIVEN)
    extent, outside = reach(looked), _outside(looked, GIVEN)
    total = sum(len(one.xy) for one in looked)
    # a part of the positions may fit by chance of what was left out
    tried = [one for one in readings if _outside(looked, one) <= (1 - INSIDE) * total]
    best = _best(looked, tried, given)
    if best is None and any(one.kind == "scaled" for one in readings):
        best = _best(looked, filling(extent), given)
    fit, reading = best or (given, None)
    return Verdict(given, fit, reading, total, len(looked), outside, extent)


def reach(looked: Sequence[Looked]) -> float:
    """Return the largest part of columns or rows that a position reaches; 0 without any."""
    parts = [(one.xy.max(axis=0) / one.shape[::-1]).max() for one in looked if len(one.xy)]
    return float(max(parts, default=0.0))


def _distance(difference: NDArray[np.float64], inverse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Mahalanobis' distance along the last axis."""
    squared = (difference @ inverse * difference).sum(-1)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def _best(
    looked: Sequence[Looked], readings: Sequence[Reading], given: float
) -> tuple[float, Reading] | None:
    weighed = [(weigh(looked, one), one) for one in readings]
    fit, reading = max(weighed, key=lambda pair: pair[0], default=(0.0, GIVEN))
    return (fit, reading) if fit > CLEAR and fit > TIMES * given else None


def _inside(xy: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    limit = np.array(shape[::-1]) - 0.5
    return np.asarray(((xy >= -0.5) & (xy < limit)).all(axis=1))


def _outside(looked: Sequence[Looked], reading: Reading) -> int:
    return sum(
        int(np.count_nonzero(~_inside(reading.places(one.xy, one.shape), one.shape)))
        for one in looked
    )


def _even(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take off slow changes, and cut what stands out far more than a particle."""
    flat = image - gaussian_filter(image, BACKGROUND * PX, mode="reflect")
    flat -= np.median(flat)
    deviation = 1.4826 * float(np.median(np.abs(flat))) or 1.0
    return np.clip(flat / deviation, -CUT, CUT)


def _rings(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over each ring around each place less that over the outermost one."""
    h, w = image.shape
    margin = int(np.ceil(RINGS[-1] * PX)) + 1
    padded = np.pad(image, margin, mode="symmetric")
    shape = tuple(next_fast_len(n, real=True) for n in padded.shape)
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    radius = np.hypot(y[:, None], x[None, :]) / PX
    spectrum = rfft2(padded, shape)
    means = []
    for inner, outer in pairwise(RINGS):
        ring = ((radius >= inner) & (radius < outer)).astype(np.float64)
        mean = irfft2(spectrum * rfft2(ring / ring.sum()), shape)
        means.append(mean[margin : margin + h, margin : margin + w])
    return np.stack([one - means[-1] for one in means[:-1]])
