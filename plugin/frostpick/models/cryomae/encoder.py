"""The encoder: tokens of crops, of what is left of masked crops, and of whole images."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from frostpick.models.cryomae.attention import BLOCK, LocalAttention
from frostpick.models.cryomae.geometry import KERNEL, PATCH, PITCH, enlargement, grid
from frostpick.models.cryomae.presets import Preset


class PatchEmbedding(nn.Module):
    """Linear map of 16 x 16 window pixels to a token, applied to working pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, PATCH, PATCH))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_uniform_(self.weight.view(width, -1))
        self.register_buffer("enlarge", enlargement(), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(b, 1, h, w)`` working pixels to a token map ``(b, th, tw, width)``."""
        up = self.get_buffer("enlarge")
        kernel = (up.T @ self.weight @ up)[:, None]
        tokens: torch.Tensor = F.conv2d(images, kernel, self.bias, stride=PITCH)
        return tokens.permute(0, 2, 3, 1)


class Block(nn.Module):
    """Attention and a two-layer perceptron, each after a normalisation and beside a shortcut."""

    def __init__(self, width: int, heads: int, reach: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = LocalAttention(width, heads, reach)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Map tokens ``(b, n, width)``; ``offsets`` as in `LocalAttention`."""
        x = x + self.attention(self.norm1(x), offsets)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]

    def dense(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(b, h, w, width)`` to the tokens that see all of their neighbours.

        Returns ``(b, h - 2 * reach, w - 2 * reach, width)``. Goes in strips, which keeps
        the intermediate results in the cache.
        """
        r = self.attention.reach
        inner = x[:, r : x.shape[1] - r, r : x.shape[2] - r]
        height, width = inner.shape[1:3]
        spare = (0, 0, 0, -width % BLOCK, 0, -height % BLOCK)
        q, k, v = (F.pad(part, spare) for part in self.attention.keys(self.norm1(x)))
        q = q[:, r : q.shape[1] - r, r : q.shape[2] - r]
        mask = self.attention.block_mask()
        out = torch.empty_like(inner)
        for top in range(0, height, BLOCK):
            rows = slice(top, top + BLOCK + 2 * r)
            strip = self.attention.blocks(q[:, top : top + BLOCK], k[:, rows], v[:, rows], mask)
            y = inner[:, top : top + BLOCK]
            y = y + strip[:, : y.shape[1], :width]
            out[:, top : top + BLOCK] = y + self.mlp(self.norm2(y))
        return out

    def within(self, x: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
        """Map ``(b, h, w, width)``, sides multiples of `BLOCK`, with no token beyond its edge.

        The same as `forward` on all tokens, at the cost of `dense`. ``outside`` is from
        `beyond_edge`.
        """
        r = self.attention.reach
        q, k, v = self.attention.keys(self.norm1(x))
        around = (0, 0, r, r, r, r)
        mask = self.attention.block_mask() + outside[:, None, None]
        mask = mask.repeat(len(x), 1, 1, 1)
        x = x + self.attention.blocks(q, F.pad(k, around), F.pad(v, around), mask)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Patch embedding, blocks of local attention, and a last normalisation."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.embedding = PatchEmbedding(preset.width)
        self.blocks = nn.ModuleList(
            Block(preset.width, preset.heads, preset.reach) for _ in range(preset.blocks)
        )
        self.norm = nn.LayerNorm(preset.width)

    def forward(self, crops: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        """Encode square crops.

        Parameters
        ----------
        crops
            ``(b, 1, s, s)`` working pixels.
        kept
            ``(b, k)`` int64, the tokens of each crop that are not masked, by their number
            in the crop row by row; all when None.

        Returns
        -------
        Tensor
            ``(b, n, width)``, or ``(b, k, width)`` in the order of ``kept``.
        """
        tokens = self.embedding(crops)
        side = tokens.shape[1]
        x = tokens.flatten(1, 2)
        at = grid(side).to(x.device)
        if kept is not None:
            x = x.gather(1, kept[..., None].expand(-1, -1, x.shape[-1]))
            at = at[kept]
        offsets = at[..., None, :, :] - at[..., :, None, :]
        for block in self.blocks:
            x = block(x, offsets)
        encoded: torch.Tensor = self.norm(x)
        return encoded

    def dense(self, images: torch.Tensor) -> torch.Tensor:
        """Encode whole images once, without gradients.

        Parameters
        ----------
        images
            ``(b, 1, h, w)`` working pixels.

        Returns
        -------
        Tensor
            ``(b, th - 2 * halo, tw - 2 * halo, width)``: the tokens that see all there is
            to see, of the ``th x tw`` of the image.
        """
        x = self.embedding(images)
        for block in self.blocks:
            x = block.dense(x)  # type: ignore[operator]
        encoded: torch.Tensor = self.norm(x)
        return encoded

    def tile(self, images: torch.Tensor) -> torch.Tensor:
        """Encode every token of square images, as `forward` does, for less in large ones.

        Parameters
        ----------
        images
            ``(b, 1, s, s)`` working pixels; tokens along a side a multiple of `BLOCK`.

        Returns
        -------
        Tensor
            ``(b, t, t, width)``.
        """
        x = self.embedding(images)
        outside = beyond_edge(x.shape[1], self.preset.reach).to(x.device)
        for block in self.blocks:
            x = block.within(x, outside)  # type: ignore[operator]
        encoded: torch.Tensor = self.norm(x)
        return encoded

    @property
    def halo(self) -> int:
        """Tokens around a token that its encoding depends on, on each side."""
        return self.preset.reach * self.preset.blocks


def beyond_edge(side: int, reach: int) -> torch.Tensor:
    """Return what keeps the blocks of a square of ``side`` tokens from looking out of it.

    ``(blocks, 144)`` float32, -1e4 for a key beyond the edge, which no softmax lets through.
    """
    if side % BLOCK:
        raise ValueError(f"{side} tokens a side, expected a multiple of {BLOCK}")
    edge = F.pad(torch.zeros(side, side), (reach,) * 4, value=-1e4)
    wide = BLOCK + 2 * reach
    return edge.unfold(0, wide, BLOCK).unfold(1, wide, BLOCK).reshape(-1, wide * wide)


def tokens_along(side: int) -> int:
    """Return the tokens along an axis of ``side`` working pixels."""
    return (side - KERNEL) // PITCH + 1
