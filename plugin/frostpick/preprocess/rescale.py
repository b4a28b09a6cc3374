"""Fourier rescale of a micrograph to the working pixel size, keeping the origin.

Sample ``k`` of the output lies at exactly ``k * step`` of the input. A discrete
Fourier transform takes the image for periodic, so that two opposite edges that
differ (an ice gradient is enough) would ring along both; therefore each axis is
first made longer by a gap in which the mirrored right edge fades into the
mirrored left one. The gap also frees the choice of the transform's length: even
(an odd length moves the origin by half a pixel), fast, and with a step close to
the one asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.sampling import Sampling

#: Factors (working pixel over micrograph pixel) that make sense for a micrograph.
FACTORS = (0.4, 40.0)
#: Length of the gap that closes the period, in working pixels.
GAP = 16
#: Rows transformed at a time: keeps the work in the cache and the memory low.
CHUNK = 128
#: Largest relative difference between the step asked for and the one achieved.
STEP_TOLERANCE = 0.01


@dataclass(frozen=True)
class Period:
    """Lengths of one axis: ``n`` input pixels in a period of ``long``, ``short`` samples of it."""

    n: int
    long: int
    short: int

    @property
    def step(self) -> float:
        """Input pixels between neighbouring samples."""
        return self.long / self.short

    @property
    def samples(self) -> int:
        """Samples that cover the image: even, at most one and a bit beyond its last pixel."""
        needed = math.floor((self.n - 1) / self.step) + 1
        return min(needed + needed % 2, self.short)


def choose_period(n: int, factor: float) -> Period:
    """Return the fast even period whose step is nearest to ``factor``, the shorter the better.

    Cost = length times (1 + 30 x relative error of the step).
    """
    least = n + math.ceil(GAP * max(factor, 1.0))
    best: tuple[float, Period] | None = None
    for long in range(least + least % 2, math.ceil(1.1 * least) + 64, 2):
        short = max(2, 2 * round(long / factor / 2))
        error = abs(long / short / factor - 1)
        cost = long * (1 + 30 * error) * (1.0 if _is_smooth(long) else 1.05)
        if error < STEP_TOLERANCE and (best is None or cost < best[0]):
            best = (cost, Period(n, long, short))
    if best is None:
        raise ValueError(f"no period for {n} pixels and a factor of {factor}")
    return best[1]


def rescale(
    image: NDArray[np.float32],
    factor: float,
    pixel_size_A: float,
    *,
    bounds: tuple[float, float] | None = None,
    device: torch.device | str = "cpu",
) -> tuple[torch.Tensor, Sampling]:
    """Resample an image to about ``factor`` times its pixel size, per axis.

    Parameters
    ----------
    image
        ``(ny, nx)`` float32, any sizes, odd ones included.
    factor
        Output pixel size over input pixel size; the achieved step is within 1 % of it.
    pixel_size_A
        Pixel size of ``image`` in Angstrom.
    bounds
        Values outside are set to the nearer bound before anything else.
    device
        Where to transform.

    Returns
    -------
    Tensor
        ``(h, w)`` float32 on ``device``, even sizes, the image's own level and mean.
    Sampling
        Its place in ``image``: origin (0, 0), one step an axis.
    """
    ny, nx = image.shape
    rows, columns = choose_period(ny, factor), choose_period(nx, factor)
    lo, hi = bounds if bounds is not None else (-math.inf, math.inf)
    # float32 keeps 7 digits: a level far above the noise would eat them in the sums.
    level = float(image[:: max(1, ny // 64), :: max(1, nx // 64)].mean(dtype=np.float64))
    kept = min(columns.long, columns.short) // 2
    spectrum = torch.empty((rows.long, kept + 1), dtype=torch.complex64, device=device)
    period = torch.empty((CHUNK, columns.long), device=device)
    gap = _Gap.of(columns, device)
    for start in range(0, ny, CHUNK):
        part = torch.from_numpy(
            np.require(image[start : start + CHUNK], np.float32, ["C", "W"])
        ).to(device)
        period = period[: len(part)]
        torch.clamp(part, lo, hi, out=period[:, :nx]).sub_(level)
        gap.close(period, axis=1)
        spectrum[start : start + len(part)] = torch.fft.rfft(period, dim=1)[:, : kept + 1]
    _Gap.of(rows, device).close(spectrum, axis=0)
    resampled = short_periods(spectrum, rows, columns)[: rows.samples, : columns.samples]
    step = (rows.step, columns.step)
    shape = (rows.samples, columns.samples)
    pixel = (pixel_size_A * rows.step, pixel_size_A * columns.step)
    return resampled.add_(level).contiguous(), Sampling(shape, step, (0.0, 0.0), pixel)


def short_periods(spectrum: torch.Tensor, rows: Period, columns: Period) -> torch.Tensor:
    """Return the image ``(rows.short, columns.short)`` of a spectrum cropped or padded to it.

    Exact for an image without frequencies at or above the lower of the two Nyquist limits.

    Parameters
    ----------
    spectrum
        ``(rows.long, kept + 1)``, transformed along x and not yet along y; ``kept`` is half of
        the shorter period of the columns.
    rows, columns
        Even periods.
    """
    full = torch.fft.fft(spectrum, dim=0)
    half = min(rows.long, rows.short) // 2
    cropped = full.new_zeros((rows.short, full.shape[1]))
    cropped[:half] = full[:half]
    cropped[rows.short - half + 1 :] = full[rows.long - half + 1 :]
    # The Nyquist frequency stands for itself and its mirror: shared out when padding,
    # dropped when cropping, where it would be an alias of the two.
    if rows.long == rows.short:
        cropped[half] = full[half]
    elif rows.long < rows.short:
        cropped[half] = full[half] / 2
        cropped[rows.short - half] = full[half] / 2
    if columns.long < columns.short:
        cropped[:, -1] *= 0.5
    elif columns.long > columns.short:
        cropped[:, -1] = 0
    cropped *= (rows.short / rows.long) * (columns.short / columns.long)
    image: torch.Tensor = torch.fft.irfft(torch.fft.ifft(cropped, dim=0), n=columns.short, dim=1)
    return image


@dataclass(frozen=True)
class _Gap:
    """What fills a period from ``n`` on: the mirrored end fading into the mirrored start."""

    n: int
    end: torch.Tensor
    start: torch.Tensor
    fade: torch.Tensor

    @classmethod
    def of(cls, period: Period, device: torch.device | str) -> _Gap:
        n, gap = period.n, period.long - period.n
        j = torch.arange(gap, device=device)
        fade = (0.5 - 0.5 * torch.cos(math.pi * (j + 1) / (gap + 1))).to(torch.float32)
        return cls(n, (n - 2 - j).clamp(0, n - 1), (gap - j).clamp(0, n - 1), fade)

    def close(self, values: torch.Tensor, axis: int) -> None:
        """Fill the gap along one of the two axes of ``values``."""
        end, start = (values.index_select(axis, at) for at in (self.end, self.start))
        fade = self.fade if axis == 1 else self.fade[:, None]
        values.narrow(axis, self.n, len(self.fade)).copy_(end + fade * (start - end))


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number == 1
