"""The layers that the trained networks are built from."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

NORMS = ("batch", "channel", "none")


class ChannelNorm(nn.Module):
    """Standardise the channels of each pixel on its own, so that no layer sees the neighbours."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise ``(b, c, h, w)`` over c."""
        variance, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
        scale = self.weight.view(1, -1, 1, 1) * torch.rsqrt(variance + 1e-5)
        return (x - mean) * scale + self.bias.view(1, -1, 1, 1)


def norm_layer(norm: str, channels: int) -> nn.Module:
    """Return the normalisation called ``norm``: batch (running statistics), channel or none."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "channel":
        return ChannelNorm(channels)
    if norm == "none":
        return nn.Identity()
    raise ValueError(f"norm {norm!r}, expected one of {', '.join(NORMS)}")


def convolution(
    channels_in: int,
    channels_out: int,
    side: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    bias: bool = True,
) -> nn.Conv2d:
    """Return a valid convolution with He's initial weights and no bias at the start."""
    layer = nn.Conv2d(channels_in, channels_out, side, stride=stride, dilation=dilation, bias=bias)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def conv_block(
    channels_in: int, channels_out: int, side: int, norm: str, *, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Return convolution, normalisation and ReLU."""
    return nn.Sequential(
        convolution(
            channels_in,
            channels_out,
            side,
            stride=stride,
            dilation=dilation,
            bias=norm == "none",
        ),
        norm_layer(norm, channels_out),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two valid 3 x 3 convolutions, the second dilated by 2, and the cropped input beside them.

    The stride belongs to the second convolution and to the skip. Receptive
    field 7, in pixels of the block's input.
    """

    crop = 3

    def __init__(self, channels_in: int, channels_out: int, norm: str, *, stride: int = 1) -> None:
        super().__init__()
        bias = norm == "none"
        self.stride = stride
        self.first = conv_block(channels_in, channels_out, 3, norm)
        self.second = convolution(
            channels_out, channels_out, 3, stride=stride, dilation=2, bias=bias
        )
        self.norm = norm_layer(norm, channels_out)
        self.skip: nn.Module = nn.Identity()
        if channels_in != channels_out:
            self.skip = convolution(channels_in, channels_out, 1, bias=False)
        if norm == "none":
            # two branches of variance 1 add up to 2; without a norm this grows with the depth
            with torch.no_grad():
                self.second.weight.mul_(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(b, c, h, w)`` to ``(b, c', (h - 7) // stride + 1, (w - 7) // stride + 1)``."""
        c, s = self.crop, self.stride
        aside = self.skip(x[:, :, c : x.shape[2] - c : s, c : x.shape[3] - c : s])
        # in place: neither sum nor norm needs the value before it, for the gradient either
        total = self.second(self.first(x)).add_(aside)
        return F.relu_(self.norm(total))
