"""The default network from nothing: a small residual scorer with a field of 71 pixels."""

from __future__ import annotations

import torch
from torch import nn

from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.networks.layers import ResidualBlock, conv_block, convolution


class ResNet8(DenseNetwork):
    """Eight valid convolutions, total stride 4, receptive field 71.

    The layout of Topaz's resnet8 (Bepler et al. 2019): at 32 working pixels a
    diameter the field spans two diameters, which lets it see carbon edges and
    neighbours.

    Parameters
    ----------
    units
        Channels of the first layer; doubled twice further on.
    norm
        ``batch``, ``channel`` (over the channels of one pixel) or ``none``.
    """

    stride = 4
    receptive_field = 71

    def __init__(self, units: int = 16, norm: str = "batch") -> None:
        super().__init__()
        if units < 1:
            raise ValueError(f"units {units}, expected at least 1")
        self.features = nn.Sequential(
            conv_block(1, units, 7, norm, stride=2),
            ResidualBlock(units, units, norm),
            ResidualBlock(units, 2 * units, norm, stride=2),
            ResidualBlock(2 * units, 2 * units, norm),
            conv_block(2 * units, 4 * units, 5, norm),
        )
        self.head = convolution(4 * units, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score ``(b, 1, h, w)`` float32; return logits ``(b, 1, oh, ow)``."""
        logits: torch.Tensor = self.head(self.features(x))
        return logits
