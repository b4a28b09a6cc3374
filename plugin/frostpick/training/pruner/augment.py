"""Changes that leave a working box what it is.

Flips and quarter turns; a shift of the centre; a narrower window, as a stack with a
tight box has; a softer picture, as a coarser stack has; another contrast.
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
    """

    shift: int = 2
    windows: tuple[float, float] = (0.4, 0.68)
    soft: tuple[float, float] = (0.3, 0.8)
    gain: float = 1.2


def augment_boxes(
    boxes: torch.Tensor, how: BoxAugmentation, generator: torch.Generator
) -> torch.Tensor:
    """Return changed copies of boxes ``(n, side, side)``, each changed in its own way."""

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    n, side = len(boxes), int(boxes.shape[1])
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
