"""Two Gaussian modes of a set of values, by expectation-maximisation on a histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 256
STEPS = 100
#: Fractions of the values in the darker mode that the fits start from.
STARTS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class GaussianMixture:
    """A fitted mixture: ``weight_bright`` of the values belong to the brighter mode.

    ``separation`` is the distance of the means in units of the root mean square of
    the two deviations; ``boundary`` the value where both modes are equally likely.
    """

    mean_dark: float
    mean_bright: float
    weight_bright: float
    separation: float
    boundary: float


def fit_gaussian_mixture(values: torch.Tensor) -> GaussianMixture:
    """Fit two Gaussians to the histogram of ``values``, all starts as one batch.

    Deterministic: nothing is drawn at random, and the first of equally likely
    starts wins. Every start is scored by the same likelihood.
    """
    flat = values.detach().cpu().numpy().ravel().astype(np.float64)
    low, high = float(flat.min()), float(flat.max())
    if not high > low:
        return GaussianMixture(low, high, 1.0, 0.0, low)
    # Histogram units: the values run from 0 to 1.
    counts, _ = np.histogram((flat - low) / (high - low), BINS, (0.0, 1.0))
    share = counts / counts.sum()
    x = (np.arange(BINS) + 0.5) / BINS
    mean, variance, weight, likelihood = _expectation_maximisation(x, share)
    best = int(np.argmax(likelihood))
    (m0, m1), (v0, v1), (w0, w1) = (t[best].tolist() for t in (mean, variance, weight))
    boundary = _boundary(x, m0, m1, v0, v1, w0, w1)
    scale = high - low
    return GaussianMixture(
        mean_dark=low + scale * m0,
        mean_bright=low + scale * m1,
        weight_bright=w1,
        separation=(m1 - m0) / math.sqrt((v0 + v1) / 2),
        boundary=low + scale * boundary,
    )


def _expectation_maximisation(x: Floats, share: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return means, variances and weights ``(starts, 2)``, dark first, and log-likelihoods.

    The logarithm of a Gaussian is a polynomial of degree 2: powers of x carry both steps.
    """
    powers = np.stack([np.ones_like(x), x, x**2])
    whole = powers @ share
    # A mode narrower than a bin, or than a twentieth of the whole spread, is one outlier.
    floor = max(0.0025 * (whole[2] - whole[1] ** 2), BINS**-2)
    # What a mode keeps of every bin, so that an emptied one has a mean still.
    least = 1e-12 * powers.sum(1)
    before = share.cumsum() - share
    dark = (before[None, :] < np.array(STARTS)[:, None]).astype(np.float64)
    for _ in range(STEPS):
        inside = (dark * share) @ powers.T
        moments = np.stack([inside, np.maximum(whole - inside, 0.0)], axis=1) + least
        weight = moments[..., 0]
        mean = moments[..., 1] / weight
        variance = np.maximum(moments[..., 2] / weight - mean**2, floor)
        density = _log_gaussians(mean, variance, weight)
        odds = (density[:, 1] - density[:, 0]) @ powers
        np.exp(np.minimum(odds, 700.0, out=odds), out=dark)
        np.divide(1.0, np.add(dark, 1.0, out=dark), out=dark)
    likelihood = np.logaddexp(density[:, 0] @ powers, density[:, 1] @ powers) @ share
    order = np.argsort(mean, axis=1, kind="stable")
    mean, variance, weight = (np.take_along_axis(t, order, 1) for t in (mean, variance, weight))
    return mean, variance, weight, likelihood


def _log_gaussians(mean: Floats, variance: Floats, weight: Floats) -> Floats:
    """Return coefficients ``(..., 3)`` of 1, x and x squared in the log of weighted Gaussians."""
    constant = np.log(weight / np.sqrt(variance)) - mean**2 / (2 * variance)
    return np.stack([constant, mean / variance, -1 / (2 * variance)], axis=-1)


def _boundary(x: Floats, m0: float, m1: float, v0: float, v1: float, w0: float, w1: float) -> float:
    """Return where the brighter mode takes over between the two means."""
    log0 = math.log(w0) - 0.5 * math.log(v0) - 0.5 * (x - m0) ** 2 / v0
    log1 = math.log(w1) - 0.5 * math.log(v1) - 0.5 * (x - m1) ** 2 / v1
    taken = x[(x >= m0) & (x <= m1) & (log1 >= log0)]
    return float(taken[0]) if len(taken) else (m0 + m1) / 2
