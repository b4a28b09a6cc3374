"""Attention to the neighbours within a fixed reach, the same in a crop and in a micrograph.

Which token a token sees, and the learned bias it sees it with, depend on their distance in
tokens alone. There is no absolute position, so an encoded token is the same wherever a window
or a tile begins, and all windows of a micrograph share their tokens.
"""

from __future__ import annotations

import math

import torch
from torch import nn

#: Tokens along a side of the blocks of queries that share their keys in a micrograph.
BLOCK = 6


class LocalAttention(nn.Module):
    """Multi-head attention over the ``(2 * reach + 1)`` squared nearest tokens.

    Parameters
    ----------
    width, heads
        Channels and heads.
    reach
        Farthest token seen, along each axis.
    """

    def __init__(self, width: int, heads: int, reach: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is no multiple of {heads} heads")
        self.heads, self.reach = heads, reach
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(heads, (2 * reach + 1) ** 2))

    def forward(self, x: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Attend within crops.

        Parameters
        ----------
        x
            ``(b, n, width)``.
        offsets
            Rows and columns from query to key, ``(n, n, 2)`` or ``(b, n, n, 2)`` int64.
        """
        b, n, width = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = attend(q, k, v, self._mask(offsets))
        attended: torch.Tensor = self.out(mixed.transpose(1, 2).reshape(b, n, width))
        return attended

    def _mask(self, offsets: torch.Tensor) -> torch.Tensor:
        """Return the bias, minus infinity out of reach: ``([b,] heads, n, n)``."""
        r = self.reach
        near = (offsets.abs() <= r).all(-1)
        row, column = (offsets.clamp(-r, r) + r).unbind(-1)
        at = row * (2 * r + 1) + column
        bias = self.bias[:, at].masked_fill(~near, -math.inf)
        return bias if offsets.ndim == 3 else bias.transpose(0, 1)

    def keys(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries, keys and values, ``(b, h, w, width)`` each, of a token map."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return q, k, v

    def blocks(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Attend from the tokens of a map, or of a strip of it, to those around them.

        Parameters
        ----------
        q
            ``(b, BLOCK * n, BLOCK * m, width)``, the queries.
        k, v
            ``(b, BLOCK * n + 2 * reach, BLOCK * m + 2 * reach, width)``, around them.
        mask
            From `block_mask`, or with another mask for each block,
            ``(b * n * m, heads, 36, 144)``.

        Returns
        -------
        Tensor
            ``(b, BLOCK * n, BLOCK * m, width)``.
        """
        b, rows, columns, width = q.shape
        n, m, side = rows // BLOCK, columns // BLOCK, BLOCK + 2 * self.reach
        shape = (b * n * m, -1, self.heads, width // self.heads)
        queries = q.view(b, n, BLOCK, m, BLOCK, width).transpose(2, 3).reshape(shape)
        keys, values = (
            overlapping(overlapping(part, 1, n, side), 3, m, side)
            .transpose(2, 3)
            .reshape(shape)
            .transpose(1, 2)
            for part in (k, v)
        )
        mixed = attend(queries.transpose(1, 2), keys, values, mask).transpose(1, 2)
        mixed = mixed.reshape(b, n, m, BLOCK, BLOCK, width).transpose(2, 3)
        attended: torch.Tensor = self.out(mixed.reshape(b, rows, columns, width))
        return attended

    def block_mask(self) -> torch.Tensor:
        """Return the bias between a block of queries and its keys, ``(heads, 36, 144)``."""
        line = torch.arange(BLOCK + 2 * self.reach, device=self.bias.device)
        place = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1)
        inner = place[self.reach : -self.reach, self.reach : -self.reach].reshape(-1, 2)
        return self._mask(place.reshape(-1, 2)[None] - inner[:, None])


def overlapping(x: torch.Tensor, axis: int, count: int, side: int) -> torch.Tensor:
    """Return ``(..., count, side, ...)``: pieces of ``side`` of an axis, one every `BLOCK`.

    What `torch.Tensor.unfold` does, whose gradient costs as much as all of the attention.
    """
    pieces = [x.narrow(axis, BLOCK * k, side) for k in range(count)]
    return torch.stack(pieces, dim=axis)


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return scaled dot-product attention; ``mask`` is added to the logits.

    Two products and a softmax: for sets as small as these several times faster on a CPU than
    torch's own function, whose fast kernels ask for a mask without gradient.
    """
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    weights = (logits + mask.to(logits.dtype)).softmax(-1)
    return torch.matmul(weights.to(v.dtype), v)
