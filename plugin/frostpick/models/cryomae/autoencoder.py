"""The masked autoencoder: rebuild the hidden three quarters of a window from the rest."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from frostpick.models.cryomae.encoder import Encoder
from frostpick.models.cryomae.geometry import PATCH, WINDOW, enlarged_patches, grid
from frostpick.models.cryomae.presets import preset

#: Share of the tokens that are hidden in training (He et al. 2022; cryoMAE's best).
MASKED = 0.75


class DecoderBlock(nn.Module):
    """A transformer block over all tokens of a window."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(b, n, width)``."""
        b, n, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).reshape(b, n, width))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class MaskedAutoencoder(nn.Module):
    """Encoder of the visible tokens and decoder of all.

    Only the decoder knows where in the window a token lies; the encoder must not, or its
    tokens could not be shared between windows.

    Parameters
    ----------
    name
        One of `PRESETS`.
    """

    def __init__(self, name: str = "tiny") -> None:
        super().__init__()
        size = preset(name)
        self.name = name
        self.encoder = Encoder(size)
        width = size.decoder_width
        self.enter = nn.Linear(size.width, width)
        self.hidden = nn.Parameter(0.02 * torch.randn(width))
        self.decoder = nn.Sequential(
            *(DecoderBlock(width, size.decoder_heads) for _ in range(size.decoder_blocks))
        )
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, PATCH * PATCH))
        self.register_buffer("place", sine_places(width), persistent=False)

    def forward(self, crops: torch.Tensor, kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode what is visible and rebuild all.

        Parameters
        ----------
        crops
            ``(b, 1, CROP, CROP)`` working pixels.
        kept
            ``(b, k)`` visible tokens, from `random_masks`.

        Returns
        -------
        tokens
            ``(b, k, width)`` encoded, in the order of ``kept``.
        patches
            ``(b, 196, 256)`` rebuilt window pixels.
        """
        tokens = self.encoder(crops, kept)
        entered = self.enter(tokens)
        full = self.hidden.to(entered.dtype).expand(len(crops), WINDOW**2, -1)
        full = full.scatter(1, kept[..., None].expand_as(entered), entered)
        patches: torch.Tensor = self.leave(self.decoder(full + self.get_buffer("place")))
        return tokens, patches


def random_masks(count: int, masked: float, generator: torch.Generator) -> torch.Tensor:
    """Return the visible tokens of ``count`` windows, ``(count, k)`` int64, ascending."""
    visible = max(1, round((1.0 - masked) * WINDOW**2))
    noise = torch.rand(count, WINDOW**2, generator=generator)
    return noise.argsort(dim=1)[:, :visible].sort(dim=1).values


def reconstruction_loss(
    patches: torch.Tensor, crops: torch.Tensor, kept: torch.Tensor
) -> torch.Tensor:
    """Return the mean squared error over the pixels of the hidden patches.

    The grey levels are those of the working image (the ice has deviation 1); patches are
    not standardised one by one, which would make noise weigh as much as particles.

    Parameters
    ----------
    patches
        ``(b, n, 256)`` rebuilt.
    crops
        ``(b, 1, h, w)`` what they should be.
    kept
        ``(b, k)`` visible tokens; with all visible the error is over all.
    """
    error = (patches.float() - enlarged_patches(crops)).square().mean(-1)
    hidden = torch.ones_like(error).scatter(1, kept, 0.0)
    if kept.shape[1] == error.shape[1]:
        hidden = torch.ones_like(error)
    return (error * hidden).sum() / hidden.sum()


def sine_places(width: int) -> torch.Tensor:
    """Return the fixed place code of the decoder, ``(196, width)``: sines of row and column."""
    quarter = width // 4
    rate = 1.0 / 10000 ** (torch.arange(quarter, dtype=torch.float64) / quarter)
    angle = grid().double()[:, :, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(1).float()
