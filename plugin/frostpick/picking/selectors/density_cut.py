"""cryoMAE's threshold by micrograph: where the scores begin to thin out.

Algorithm 1 of Xu, Zhan and Xu (2024), rebuilt from the paper's text, which leaves out its
appendix: background windows are many and their scores lie close together, particles are few
and theirs lie apart; sort the scores, take the mean distance of each to its nearest
neighbours in score, and cut where that distance rises most. As written the topmost scores,
lonely wherever they are, would win nearly always. Three guards: only the quantiles .80 to
.999 are looked at, the distances are smoothed, and where no rise stands out the boundary
of two Gaussians fitted to the logits decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from frostpick.preprocess.gaussian_mixture import fit_gaussian_mixture

Floats = NDArray[np.float64]

#: Neighbours in score, which the paper does not give.
NEIGHBOURS = 10
#: Quantiles of the scores between which the cut is looked for.
LOWEST, HIGHEST = 0.80, 0.999
#: Share of the scores that the distances are smoothed over.
SMOOTH = 0.002
#: A rise stands out when it is this many times the median size of a rise.
STANDS_OUT = 8.0
#: Two Gaussians are two when their means are this many deviations apart; the halves of an
#: even spread are 3.5 apart.
APART = 4.0


@dataclass(frozen=True)
class DensityCut:
    """The threshold of one micrograph and the curve it was read from.

    Attributes
    ----------
    cut
        Logit at or above which a place is kept.
    rule
        ``density``, or the guard that decided: ``mixture``, ``quantile``.
    score, distance
        ``(n,)`` the logits looked at, rising, and the smoothed mean distance of their cosines
        to the nearest others.
    """

    cut: float
    rule: Literal["density", "mixture", "quantile"]
    score: Floats
    distance: Floats


def density_cut(logits: ArrayLike, neighbours: int = NEIGHBOURS) -> DensityCut:
    """Return the cut of the logits of all windows of a micrograph, any shape."""
    values = np.asarray(logits, np.float64).ravel()
    score = np.sort(values[np.isfinite(values)])
    if len(score) < 3:
        raise ValueError(f"{len(score)} scores, expected at least 3")
    neighbours = min(neighbours, len(score) - 1)
    distance = neighbour_distance(np.tanh(score), neighbours)
    low, high = (int(q * (len(score) - 1)) for q in (LOWEST, HIGHEST))
    width = max(3, round(SMOOTH * len(score)))
    smooth = _running_mean(distance[low : high + 1], width)
    # the rise over one width: between neighbouring places of a running mean there is none
    rise = smooth[width:] - smooth[:-width]
    if len(rise):
        at = int(np.argmax(rise))
        if rise[at] > STANDS_OUT * np.median(np.abs(rise)) and rise[at] > 0:
            steps = np.diff(distance[low + at : low + at + width + 1])
            cut = float(score[low + at + int(np.argmax(steps)) + 1])
            return DensityCut(cut, "density", score[low : high + 1], smooth)
    score, whole = score[low : high + 1], score
    modes = fit_gaussian_mixture(torch.from_numpy(whole))
    if modes.separation >= APART:
        return DensityCut(float(modes.boundary), "mixture", score, smooth)
    return DensityCut(float(score[-1]), "quantile", score, smooth)


def neighbour_distance(rising: Floats, neighbours: int) -> Floats:
    """Return the mean distance of each of ``(n,)`` rising values to its nearest others."""
    n = len(rising)
    padded = np.pad(rising, neighbours, constant_values=np.inf)
    padded[:neighbours] = -np.inf
    steps = [k for k in range(-neighbours, neighbours + 1) if k]
    away = np.stack([np.abs(padded[neighbours + k : neighbours + k + n] - rising) for k in steps])
    nearest = np.partition(away, neighbours - 1, axis=0)[:neighbours]
    mean: Floats = nearest.mean(0)
    return mean


def _running_mean(values: Floats, width: int) -> Floats:
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    total = np.concatenate([[0.0], np.cumsum(padded)])
    mean: Floats = (total[width:] - total[:-width]) / width
    return mean
