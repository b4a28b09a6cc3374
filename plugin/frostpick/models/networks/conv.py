"""Plain convolutional scorers with fields of 31, 63 and 127 pixels."""

from __future__ import annotations

import torch
from torch import nn

from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.networks.layers import conv_block, convolution

#: Dilations of the 5 x 5 layers after the two strided ones, by receptive field.
_DILATIONS: dict[int, tuple[int, ...]] = {31: (1,), 63: (1, 2), 127: (1, 2, 4)}


class ConvNet(DenseNetwork):
    """One 7 x 7 and several 5 x 5 valid convolutions, total stride 4.

    The layouts of Topaz's conv31, conv63 and conv127 with the strides beyond 4
    turned into dilations: the same fields, and positions as fine as the
    residual network's.

    Parameters
    ----------
    field
        Receptive field in pixels: 31, 63 or 127.
    units
        Channels of the first layer; doubled at the second and the third.
    norm
        ``batch``, ``channel`` (over the channels of one pixel) or ``none``.
    """

    stride = 4

    def __init__(self, field: int, units: int = 16, norm: str = "batch") -> None:
        super().__init__()
        if field not in _DILATIONS:
            raise ValueError(f"field {field}, expected one of {', '.join(map(str, _DILATIONS))}")
        if units < 1:
            raise ValueError(f"units {units}, expected at least 1")
        self.receptive_field = field
        layers: list[nn.Module] = [
            conv_block(1, units, 7, norm, stride=2),
            conv_block(units, 2 * units, 5, norm, stride=2),
        ]
        channels = 2 * units
        for dilation in _DILATIONS[field]:
            layers.append(conv_block(channels, 4 * units, 5, norm, dilation=dilation))
            channels = 4 * units
        self.features = nn.Sequential(*layers)
        self.head = convolution(channels, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score ``(b, 1, h, w)`` float32; return logits ``(b, 1, oh, ow)``."""
        logits: torch.Tensor = self.head(self.features(x))
        return logits
