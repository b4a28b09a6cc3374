"""A window's descriptor: means of its tokens over rings around the centre."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

#: Outer radii of the rings in tokens; a particle's radius is 3.5.
RADII = (1.5, 2.5, 3.5, 4.5)
#: Tokens along the side of the square that holds the rings.
SIDE = 9
#: Places along a side of the blocks that are pooled together.
PLACES = 6


class RingPooling(nn.Module):
    """Mean token of each ring, one after the other; what cryoMAE leaves open.

    The mean over the whole window would say that a particle is in it, not where: it changes
    little while the particle moves from one side of the window to the other. Means over
    rings do not change when the window is turned, change quickly when it is moved, and are a
    convolution of the token map, so that all windows of a micrograph come from one map.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rings", ring_weights(), persistent=False)

    def forward(
        self, tokens: torch.Tensor, centres: torch.Tensor, at: torch.Tensor
    ) -> torch.Tensor:
        """Pool around one place of each crop.

        Parameters
        ----------
        tokens
            ``(b, n, width)``.
        centres
            ``(b, 2)`` row and column of the central token in its crop.
        at
            ``(n, 2)`` or ``(b, n, 2)``, rows and columns of the tokens.

        Returns
        -------
        Tensor
            ``(b, rings * width)``. A ring of which a mask left nothing is zero.
        """
        offset = at - centres[:, None]
        half = SIDE // 2
        inside = (offset.abs() <= half).all(-1)
        row, column = (offset.clamp(-half, half) + half).unbind(-1)
        weights = self.get_buffer("rings").flatten(1)[:, row * SIDE + column] * inside
        weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-6)
        pooled = torch.einsum("rbn,bnc->brc", weights.to(tokens.dtype), tokens)
        return pooled.flatten(1)

    def dense(self, tokens: torch.Tensor) -> torch.Tensor:
        """Pool ``(b, h, w, width)`` to ``(b, h - 8, w - 8, rings * width)``.

        A convolution that all channels share, as one product for each block of places.
        """
        b, h, w, width = tokens.shape
        rows, columns = h - SIDE + 1, w - SIDE + 1
        spare = (0, 0, 0, -columns % PLACES, 0, -rows % PLACES)
        side = PLACES + SIDE - 1
        blocks = F.pad(tokens, spare).unfold(1, side, PLACES).unfold(2, side, PLACES)
        by, bx = blocks.shape[1:3]
        flat = blocks.permute(0, 1, 2, 4, 5, 3).reshape(b * by * bx, side * side, width)
        pooled = self._block_weights().to(tokens.dtype) @ flat
        whole = pooled.view(b, by, bx, PLACES, PLACES, -1).transpose(2, 3)
        return whole.reshape(b, by * PLACES, bx * PLACES, -1)[:, :rows, :columns]

    def _block_weights(self) -> torch.Tensor:
        """Return the weight of each token of a block for each place and ring of it."""
        rings = self.get_buffer("rings")
        side = PLACES + SIDE - 1
        weights = rings.new_zeros(PLACES, PLACES, len(RADII), side, side)
        for y in range(PLACES):
            for x in range(PLACES):
                weights[y, x, :, y : y + SIDE, x : x + SIDE] = rings
        return weights.view(-1, side * side)


def ring_weights() -> torch.Tensor:
    """Return ``(rings, 9, 9)`` float32, each summing to 1."""
    line = torch.arange(SIDE, dtype=torch.float64) - SIDE // 2
    radius = torch.hypot(line[:, None], line[None, :])
    inner = (-1.0, *RADII[:-1])
    rings = torch.stack(
        [((radius > a) & (radius <= b)).double() for a, b in zip(inner, RADII, strict=True)]
    )
    return (rings / rings.sum((1, 2), keepdim=True)).float()
