"""The network of ``general``: a quarter of the resolution at once, then residual blocks."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.networks.layers import conv_block, convolution, norm_layer


class DilatedBlock(nn.Module):
    """Two valid 3 x 3 convolutions of one dilation, and the cropped input beside them.

    Receptive field ``1 + 4 * dilation``, in pixels of the block's input.
    """

    def __init__(self, channels: int, dilation: int, norm: str) -> None:
        super().__init__()
        self.crop = 2 * dilation
        self.branch = nn.Sequential(
            conv_block(channels, channels, 3, norm, dilation=dilation),
            convolution(channels, channels, 3, dilation=dilation, bias=norm == "none"),
            norm_layer(norm, channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(b, c, h, w)`` to ``(b, c, h - 4 * dilation, w - 4 * dilation)``."""
        c = self.crop
        return F.relu(x[:, :, c:-c, c:-c] + self.branch(x))


class DilatedResNet(DenseNetwork):
    """Two strided convolutions, then residual blocks at stride 4 whose dilations widen the field.

    The resolution falls early: most of the work is done on a sixteenth of the pixels, in
    layers wide enough to keep a processor's vector units busy. With the default dilations
    the field is 79 pixels, two and a half diameters at 32 pixels a diameter: it sees
    neighbours and the edges of carbon.

    Parameters
    ----------
    stem, channels, last
        Channels of the first convolution, of the blocks, and before the logit.
    dilations
        Of the blocks, separated by commas.
    norm
        ``batch``, ``channel`` (over the channels of one pixel) or ``none``.
    """

    stride = 4

    def __init__(
        self,
        stem: int = 16,
        channels: int = 48,
        last: int = 64,
        dilations: str = "1,1,2",
        norm: str = "batch",
    ) -> None:
        super().__init__()
        steps = [int(word) for word in dilations.split(",")]
        if min(stem, channels, last, *steps) < 1:
            raise ValueError(
                f"stem {stem}, channels {channels}, last {last}, dilations {dilations}, "
                "expected at least 1 each"
            )
        self.receptive_field = 7 + 2 * 4 + 4 * sum(4 * step for step in steps)
        self.features = nn.Sequential(
            conv_block(1, stem, 7, norm, stride=2),
            conv_block(stem, channels, 5, norm, stride=2),
            *[DilatedBlock(channels, step, norm) for step in steps],
            conv_block(channels, last, 1, norm),
        )
        self.head = convolution(last, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score ``(b, 1, h, w)`` float32; return logits ``(b, 1, oh, ow)``."""
        logits: torch.Tensor = self.head(self.features(x))
        return logits
