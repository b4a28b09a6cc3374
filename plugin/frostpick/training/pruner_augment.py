"""Changes that leave a working box what it is.

Flips and quarter turns; a shift of the centre; a narrower window, as a stack with a
tight box has; a softer picture, as a coarser stack has; another contrast; more noise, as
a micrograph of thicker ice or less defocus has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F


@dataclass(frozen=True)
class BoxAugmentation:
    """How much is changed.

    Parameters
    ----------
    shift
        Largest shift along each axis in working pixels.
    windows
        Share of the boxes of which only a window is shown, and its smallest side as a
        fraction of the box.
    soft
        Share of the boxes that are smoothed, and the largest deviation of the Gaussian in
        working pixels.
    gain
        Largest factor of the grey levels, up or down.
    noise
        Share of the boxes that noise is added to, and its largest deviation in those of the
        ice around the particle. Labels often come from few micrographs; the faint ones among
        the others would be rejected as a whole.
    """

    shift: int = 2
    windows: tuple[float, float] = (0.4, 0.68)
    soft: tuple[float, float] = (0.3, 0.8)
    gain: float = 1.2
    noise: tuple[float, float] = (0.0, 0.0)


def augment_boxes(
    boxes: torch.Tensor,
    how: BoxAugmentation,
    generator: torch.Generator,
    noise_like: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return changed copies of boxes, each changed in its own way.

    Parameters
    ----------
    boxes
        ``(n, side, side)`` float32.
    noise_like
        ``(m, side, side)`` boxes whose spectra added noise has; none, no noise is added.
    """

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    n, side = len(boxes), int(boxes.shape[1])
    if how.noise[0] > 0 and noise_like is not None and len(noise_like):
        boxes = _noisier(boxes, how.noise, noise_like, generator)
    turned = boxes.clone()
    turns = torch.randint(4, (n,), generator=generator)
    for k in (1, 2, 3):
        turned[turns == k] = torch.rot90(boxes[turns == k], k, (1, 2))
    flipped = draw(n) < 0.5
    turned[flipped] = turned[flipped].flip(2)
    if how.shift:
        turned = _shifted(turned, how.shift, generator)
    soft = draw(n) < how.soft[0]
    if bool(soft.any()):
        turned[soft] = _smoothed(turned[soft], how.soft[1] * draw(int(soft.sum())))
    turned *= torch.exp((2 * draw(n, 1, 1) - 1) * torch.log(torch.tensor(how.gain)))
    shown = how.windows[1] + (1 - how.windows[1]) * draw(n)
    shown = torch.where(draw(n) < how.windows[0], shown, 1.0)
    reach = (torch.arange(side) - (side - 1) / 2).abs()
    inside = reach[None] <= (shown * side / 2)[:, None]
    return turned * (inside[:, :, None] & inside[:, None, :])


def scrambled(boxes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return noise with the amplitude spectra of boxes ``(n, side, side)``, mean 0, deviation 1.

    The phases are those of white noise, so nothing of the picture is left (Theiler et al.,
    Physica D 58:77, 1992: surrogate data).
    """
    white = torch.fft.rfft2(torch.randn(boxes.shape, generator=generator))
    amplitude = torch.fft.rfft2(boxes).abs()
    amplitude[:, 0, 0] = 0
    phase = white / white.abs().clamp_min(1e-12)
    noise: torch.Tensor = torch.fft.irfft2(amplitude * phase, s=boxes.shape[1:])
    scaled: torch.Tensor = noise / noise.std((1, 2), keepdim=True).clamp_min(1e-6)
    return scaled


def _noisier(
    boxes: torch.Tensor,
    how: tuple[float, float],
    noise_like: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return ``(box + s noise) / sqrt(1 + s^2)``: the ice keeps its deviation of 1."""
    n = len(boxes)
    noise = scrambled(
        noise_like[torch.randint(len(noise_like), (n,), generator=generator)], generator
    )
    level = how[1] * torch.rand(n, 1, 1, generator=generator)
    level = level * (torch.rand(n, 1, 1, generator=generator) < how[0])
    return (boxes + level * noise) / torch.sqrt(1 + level**2)


def _shifted(boxes: torch.Tensor, most: int, generator: torch.Generator) -> torch.Tensor:
    """Shift by whole pixels; what comes in is 0, as beyond the edge of a stack's image."""
    n, side = len(boxes), int(boxes.shape[1])
    padded = F.pad(boxes, (most,) * 4)
    start = torch.randint(2 * most + 1, (2, n), generator=generator)
    reach = torch.arange(side)
    rows = (start[0][:, None] + reach)[:, :, None]
    columns = (start[1][:, None] + reach)[:, None, :]
    return padded[torch.arange(n)[:, None, None], rows, columns]


def _smoothed(boxes: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """Smooth each box with a Gaussian of its own deviation in pixels."""
    reach = torch.arange(-2, 3, dtype=boxes.dtype)
    kernel = torch.exp(-0.5 * (reach / deviation.clamp_min(0.05)[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    n = len(boxes)
    out = F.conv2d(boxes[None], kernel.view(n, 1, 5, 1), padding=(2, 0), groups=n)
    out = F.conv2d(out, kernel.view(n, 1, 1, 5), padding=(0, 2), groups=n)
    return out[0]
