"""Change what a tile looks like without changing where its particles are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import conv2d, pad

#: Half width of the blur's kernel in pixels.
_REACH = 3


@dataclass(frozen=True)
class Augmentation:
    """Strengths of the changes; 0 switches one off.

    Parameters
    ----------
    contrast
        Standard deviation of the natural logarithm of the gain.
    level
        Standard deviation of an added constant, in standard deviations of the ice.
    noise
        Largest standard deviation of added white noise, in the same unit.
    blur
        Largest standard deviation of a Gaussian blur, in pixels.
    """

    contrast: float = 0.1
    level: float = 0.1
    noise: float = 0.3
    blur: float = 0.7


def augment(
    tiles: torch.Tensor, strength: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Return changed ``(b, 1, h, w)`` tiles; ``generator`` lives on the CPU."""
    b = tiles.shape[0]
    uniform = torch.rand(2, b, generator=generator)
    normal = torch.randn(2, b, generator=generator)
    if strength.blur > 0:
        tiles = blur(tiles, strength.blur * uniform[0])
    gain = torch.exp(strength.contrast * normal[0]).to(tiles.device)
    level = (strength.level * normal[1]).to(tiles.device)
    tiles = tiles * gain.view(-1, 1, 1, 1) + level.view(-1, 1, 1, 1)
    if strength.noise > 0:
        white = torch.randn(tiles.shape, generator=generator).to(tiles.device)
        tiles = tiles + white * (strength.noise * uniform[1]).to(tiles.device).view(-1, 1, 1, 1)
    return tiles


def blur(tiles: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Blur each of ``(b, 1, h, w)`` tiles by a Gaussian of its own ``sigma`` in pixels."""
    at = torch.arange(-_REACH, _REACH + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (at[None] / sigma.clamp(min=1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).to(tiles.device)
    b = tiles.shape[0]
    grouped = pad(tiles.transpose(0, 1), (_REACH,) * 4, mode="reflect")
    grouped = conv2d(grouped, kernel.view(b, 1, 1, -1), groups=b)
    return conv2d(grouped, kernel.view(b, 1, -1, 1), groups=b).transpose(0, 1)
