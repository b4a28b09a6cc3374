"""Dark places of four sizes, and as many as noise of the same spectrum would have.

A Gaussian random field with the spectrum of a micrograph has local minima too, but of a known
height. An image with the same amplitudes and random phases is one, so what lies higher in the
micrograph than nearly all of that image's minima is no noise.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter

from frostpick.points import first_within
from frostpick.training.view_features import view_features

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

#: Sizes looked for, as shares of the diameter: a view along a rod is a third of it.
SIZES = (0.35, 0.5, 0.7, 1.0)
#: Deviation of the narrower Gaussian in sizes, and the wider one's in that of the narrower.
SIGMA, WIDER = 0.25, 1.6
#: Lowest peak that is kept, in robust deviations.
LOWEST = 2.0
#: Peaks of any size lie so far apart, and so far from an edge, in diameters.
APART, EDGE = 0.5, 0.25
#: Side in diameters of the square in which the deviation of the answers is taken, the height in
#: deviations above which an answer counts no more, and the deviation of normal noise so cut.
AROUND, CUT, OF_CUT = 6.0, 3.0, 0.97
#: Centring: radius in diameters, deviations below the median from which on a pixel has weight,
#: and at which it has no more, and how often.
REACH, DARK, DARKEST, STEPS = 0.3, 1.0, 3.0, 4
#: Deviation in diameters of the Gaussian that smooths what is described.
SMOOTH = 0.06


@dataclass(frozen=True)
class Candidates:
    """Dark places.

    Parameters
    ----------
    image
        ``(n,)`` int64, number of the image.
    yx
        ``(n, 2)`` in pixels of that image: the centre of the dark about each.
    height
        ``(n,)`` answer in robust deviations, the highest over `SIZES`.
    looks
        ``(n, 30)`` `view_features` at the darkest point, which noise moves less than the centre.
    """

    image: NDArray[np.int64]
    yx: Floats
    height: Floats
    looks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.image)

    def keep(self, at: NDArray[np.bool_]) -> Candidates:
        """Return the candidates of a mask."""
        return Candidates(*(getattr(self, f.name)[at] for f in fields(self)))

    @classmethod
    def concat(cls, parts: list[Candidates]) -> Candidates:
        """Lay candidates of several images end to end."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


def find_candidates(image: Image, number: int, px_per_diameter: float) -> Candidates:
    """Return the dark places of an image.

    Parameters
    ----------
    image
        ``(h, w)`` float32, particles dark, in any grey levels.
    number
        What the image is called in the result.
    px_per_diameter
        Its pixels a diameter, 10 or more.
    """
    found = [_peaks(image, size * px_per_diameter, px_per_diameter) for size in SIZES]
    yx = np.concatenate([one for one, _ in found])
    height = np.concatenate([one for _, one in found])
    order = np.argsort(-height, kind="stable")
    yx, height = yx[order], height[order]
    first = first_within(yx, APART * px_per_diameter)
    yx, height = yx[first], height[first]
    smooth = np.asarray(gaussian_filter(image, SMOOTH * px_per_diameter), np.float32)
    looks = view_features(torch.from_numpy(smooth), yx, px_per_diameter)
    middle = centred(smooth, yx, px_per_diameter)
    return Candidates(np.full(len(yx), number, np.int64), middle, height, looks)


def centred(smooth: Image, yx: Floats, px_per_diameter: float) -> Floats:
    """Move places ``(n, 2)`` to the centre of the dark about them: off the wall of a ring.

    The centre of mass of what is darker than usual within `REACH` of a place, taken again about
    the place so found; a place that would go farther than that stays.

    Parameters
    ----------
    smooth
        ``(h, w)`` float32, particles dark.
    """
    middle = np.median(smooth)
    spread = max(1.4826 * float(np.median(np.abs(smooth - middle))), 1e-30)
    dark = np.clip((middle - smooth) / spread - DARK, 0.0, DARKEST)
    reach = REACH * px_per_diameter
    steps = np.arange(-int(reach), int(reach) + 1)
    dy, dx = (one.ravel() for one in np.meshgrid(steps, steps, indexing="ij"))
    near = np.hypot(dy, dx) <= reach
    offset = np.stack([dy[near], dx[near]], axis=1)
    moved = yx.copy()
    for _ in range(STEPS):
        at = np.round(moved).astype(np.int64)[:, None, :] + offset
        inside = ((at >= 0) & (at < smooth.shape)).all(2)
        rows, columns = (np.clip(at[..., k], 0, smooth.shape[k] - 1) for k in (0, 1))
        weight = np.where(inside, dark[rows, columns], 0.0)
        mass = weight.sum(1, keepdims=True)
        mean = (weight[..., None] * at).sum(1) / np.maximum(mass, 1e-30)
        moved = np.where(mass > 0, mean, moved)
    far = np.hypot(*(moved - yx).T) > reach
    moved[far] = yx[far]
    return moved


def phase_randomised(image: Image, rng: np.random.Generator) -> Image:
    """Return an image with the amplitudes of another ``(h, w)``, and the phases of white noise."""
    spectrum = scipy.fft.rfft2(image - image.mean())
    other = scipy.fft.rfft2(rng.standard_normal(image.shape))
    mixed = np.abs(spectrum) * other / np.maximum(np.abs(other), 1e-30)
    return np.asarray(scipy.fft.irfft2(mixed, s=image.shape), np.float32)


def _peaks(image: Image, size_px: float, px: float) -> tuple[Floats, Floats]:
    """Return dark places of about one size, and how many deviations each answers.

    The deviation is that of the whole image, or that about the place where it is larger: on
    carbon and in an aggregate every place is dark.
    """
    sigma = SIGMA * size_px
    answer = gaussian_filter(image, WIDER * sigma) - gaussian_filter(image, sigma)
    spread = 1.4826 * np.median(np.abs(answer - np.median(answer)))
    answer /= max(float(spread), 1e-30)
    power = uniform_filter(np.clip(answer, -CUT, CUT) ** 2, int(AROUND * px) | 1)
    answer /= np.maximum(1.0, np.sqrt(np.maximum(power, 0.0)) / OF_CUT)
    highest = maximum_filter(answer, max(3, int(APART * size_px) | 1))
    y, x = np.nonzero((answer == highest) & (answer > LOWEST))
    edge, (h, w) = EDGE * px, image.shape
    inside = (y >= edge) & (x >= edge) & (y < h - edge) & (x < w - edge)
    yx = np.stack([y, x], axis=1)[inside].astype(np.float64)
    return yx, answer[y, x][inside].astype(np.float64)
