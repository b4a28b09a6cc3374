"""From pixels to tokens: cryoMAE's 224-pixel windows of 16-pixel patches, without the pixels.

A particle's diameter fills half a window: half is context, which tells a particle from
the edge of carbon and from its neighbours (the share that Topaz inside RELION uses). So a
diameter is 112 window pixels, seven patches. No micrograph holds that much: of a particle of
150 A the finest detail that rises above the noise, 10 A, is 7 such pixels wide. The working
image therefore has a quarter of it, 28 pixels a diameter, and the window is its fourfold
linear enlargement. A patch of 16 x 16 enlarged pixels is a linear function of 5 x 5 working
pixels, so the enlargement and the patch embedding are one convolution of side 5 and stride 4.
"""

from __future__ import annotations

import torch

#: Side of a patch in window pixels, and the enlargement from working to window pixels.
PATCH, ENLARGED = 16, 4
#: Tokens along a side of a window: 224 / 16.
WINDOW = 14
#: Working pixels between two tokens, and those that one token is made of.
PITCH, KERNEL = PATCH // ENLARGED, PATCH // ENLARGED + 1
#: Working pixels a particle diameter.
PX_PER_DIAMETER = 28.0
#: Side of a window in working pixels: odd, so that its centre is a pixel.
CROP = PITCH * WINDOW + 1


def enlargement() -> torch.Tensor:
    """Return ``(16, 5)`` float32: window pixel ``j`` of a patch, at ``(j + 0.5) / 4``, linearly."""
    at = (torch.arange(PATCH, dtype=torch.float64) + 0.5) / ENLARGED
    tap = torch.arange(KERNEL, dtype=torch.float64)
    return (1 - (at[:, None] - tap[None, :]).abs()).clamp_min(0).float()


def enlarged_patches(images: torch.Tensor) -> torch.Tensor:
    """Cut images into patches of window pixels.

    Parameters
    ----------
    images
        ``(b, 1, h, w)`` working pixels.

    Returns
    -------
    Tensor
        ``(b, n, 256)``, patches row by row; ``n = ((h - 5) // 4 + 1) * ((w - 5) // 4 + 1)``.
    """
    small = images[:, 0].unfold(1, KERNEL, PITCH).unfold(2, KERNEL, PITCH)
    up = enlargement().to(images)
    return (up @ small @ up.T).flatten(3).flatten(1, 2)


def grid(side: int = WINDOW) -> torch.Tensor:
    """Return rows and columns of the tokens of a square window, ``(side * side, 2)`` int64."""
    line = torch.arange(side)
    return torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).reshape(-1, 2)
