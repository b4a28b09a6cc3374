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
class TwoModes:
    """A fitted mixture: ``weight_bright`` of the values belong to the brighter mode.

    ``separation`` is the distance of the means in units of the root mean square of
    the two deviations; ``boundary`` the value where both modes are equally likely.
    """

    mean_dark: float
    mean_bright: float
    weight_bright: float
    separation: float
    boundary: float


def fit_two_modes(values: torch.Tensor) -> TwoModes:
    """Fit two Gaussians to the histogram of ``values``, all starts as one batch.

    Deterministic: nothing is drawn at random, and the first of equally likely
    starts wins. Every start is scored by the same likelihood.
    """
    flat = values.detach().cpu().numpy().ravel().astype(np.float64)
    low, high = float(flat.min()), float(flat.max())
    if not high > low:
        return TwoModes(low, high, 1.0, 0.0, low)
    # Histogram units: the values run from 0 to 1.
    counts, _ = np.histogram((flat - low) / (high - low), BINS, (0.0, 1.0))
    share = counts / counts.sum()
    x = (np.arange(BINS) + 0.5) / BINS
    mean, variance, weight, likelihood = _expectation_maximisation(x, share)
    best = int(np.argmax(likelihood))
    (m0, m1), (v0, v1), (w0, w1) = (t[best].tolist() for t in (mean, variance, weight))
    boundary = _boundary(x, m0, m1, v0, v1, w0, w1)
    scale = high - low
    return TwoModes(
        mean_dark=low + scale * m0,
        mean_bright=low + scale * m1,
        weight_bright=w1,
        separation=(m1 - m0) / math.sqrt((v0 + v1) / 2),
        boundary=low + scale * boundary,
    )


def _expectation_maximisation(x: Floats, share: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return means, variances and weights ``(starts, 2)``, dark first, and log-likelihoods."""
    total_mean = (share * x).sum()
    total_variance = (share * (x - total_mean) ** 2).sum()
    # A mode narrower than a bin, or than a twentieth of the whole spread, is one outlier.
    floor = max(0.0025 * total_variance, BINS**-2)
    before = share.cumsum() - share
    dark = (before[None, :] < np.array(STARTS)[:, None]).astype(np.float64)
    belongs = np.stack([dark, 1 - dark], axis=1)  # (starts, 2, bins)
    for _ in range(STEPS):
        mass = np.maximum(belongs * share, 1e-12)
        weight = mass.sum(2)
        mean = mass @ x / weight
        square = (x - mean[..., None]) ** 2
        variance = np.maximum((mass * square).sum(2) / weight, floor)
        log_density = np.log(weight / np.sqrt(variance))[..., None] - square / (
            2 * variance[..., None]
        )
        np.exp(np.minimum(log_density[:, 0] - log_density[:, 1], 700.0), out=belongs[:, 0])
        np.divide(1.0, 1 + belongs[:, 0], out=belongs[:, 1])
        belongs[:, 0] *= belongs[:, 1]
    log_total = np.logaddexp(log_density[:, 0], log_density[:, 1])
    order = np.argsort(mean, axis=1, kind="stable")
    mean, variance, weight = (np.take_along_axis(t, order, 1) for t in (mean, variance, weight))
    return mean, variance, weight, (share * log_total).sum(1)


def _boundary(x: Floats, m0: float, m1: float, v0: float, v1: float, w0: float, w1: float) -> float:
    """Return where the brighter mode takes over between the two means."""
    log0 = math.log(w0) - 0.5 * math.log(v0) - 0.5 * (x - m0) ** 2 / v0
    log1 = math.log(w1) - 0.5 * math.log(v1) - 0.5 * (x - m1) ** 2 / v1
    taken = x[(x >= m0) & (x <= m1) & (log1 >= log0)]
    return float(taken[0]) if len(taken) else (m0 + m1) / 2
