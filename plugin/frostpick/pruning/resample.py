"""Bring boxes of any pixel size to working pixels by two small matrix products.

A windowed sinc (Lanczos, three lobes) whose cut-off is the coarser of the two Nyquist
limits. It looks at a few neighbours only, so that a box read from a stack and the same
place of a micrograph give the same pixels where both have data, and it takes any ratio.
"""

from __future__ import annotations

import functools

import numpy as np
import torch

LOBES = 3


def resample_boxes(
    boxes: torch.Tensor, step: float, side: int, centre_yx: tuple[int, int] | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Resample boxes around their centres.

    Parameters
    ----------
    boxes
        ``(n, h, w)`` float32.
    step
        Box pixels a working pixel.
    side
        Working pixels a side of the result, even; the centre lies between the two in the
        middle.
    centre_yx
        Row and column of the particle's centre; None is ``(h // 2, w // 2)``, where
        RELION and CryoSPARC put it.

    Returns
    -------
    Tensor
        ``(n, side, side)`` float32.
    Tensor
        ``(side, side)`` bool: where the boxes have data. Elsewhere the result is the
        nearest that there is, and no information.
    """
    height, width = int(boxes.shape[1]), int(boxes.shape[2])
    cy, cx = centre_yx if centre_yx is not None else (height // 2, width // 2)
    rows, inside_y = _matrix(height, cy, step, side)
    columns, inside_x = _matrix(width, cx, step, side)
    out = rows.to(boxes.device) @ (boxes @ columns.T.to(boxes.device))
    inside = inside_y[:, None] & inside_x[None, :]
    return out, inside.to(boxes.device)


@functools.lru_cache(maxsize=64)
def _matrix(length: int, centre: int, step: float, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weights ``(side, length)`` and which of the ``side`` positions lie on the axis."""
    at = centre + (np.arange(side) - (side - 1) / 2) * step
    inside = (at >= -0.5) & (at <= length - 0.5)
    width = max(step, 1.0)
    t = (np.clip(at, 0, length - 1)[:, None] - np.arange(length)[None, :]) / width
    weights = np.where(np.abs(t) < LOBES, np.sinc(t) * np.sinc(t / LOBES), 0.0)
    weights /= weights.sum(1, keepdims=True)
    return torch.from_numpy(weights.astype(np.float32)), torch.from_numpy(inside)
