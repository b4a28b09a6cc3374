"""Batch normalisation folded into the convolutions before it: the same function, fewer passes.

In evaluation a batch normalisation is a factor and an offset a channel. Both can be taken
into weights and bias of the convolution whose output it sees; rounding alone differs.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from frostpick.models.networks.layers import ResidualBlock

N = TypeVar("N", bound=nn.Module)


class ChannelScale(nn.Module):
    """Multiply every channel of ``(b, c, h, w)`` by a factor of its own ``(c,)``."""

    def __init__(self, factor: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor.reshape(1, -1, 1, 1).clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the product."""
        return x * self.get_buffer("factor")


def folded(network: N) -> N:
    """Return a copy in evaluation mode with the batch normalisations folded where they can be.

    One that follows no convolution directly stays as it is; so do other normalisations.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            _fold_pairs(module)
        elif isinstance(module, ResidualBlock) and isinstance(module.norm, nn.BatchNorm2d):
            _fold_sum(module, module.norm)
    return network


def _fold_pairs(layers: nn.Sequential) -> None:
    for number in range(len(layers) - 1):
        before, norm = layers[number], layers[number + 1]
        if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layers[number] = fuse_conv_bn_eval(before, norm).requires_grad_(False)
            layers[number + 1] = nn.Identity()


def _fold_sum(block: ResidualBlock, norm: nn.BatchNorm2d) -> None:
    """Fold a norm over a sum: the factor goes into both branches, the offset into one."""
    variance = norm.running_var
    assert variance is not None  # ours track their statistics
    factor = torch.rsqrt(variance + norm.eps) * norm.weight
    block.second = fuse_conv_bn_eval(block.second, norm).requires_grad_(False)
    if isinstance(block.skip, nn.Conv2d):
        block.skip.weight.mul_(factor.view(-1, 1, 1, 1))
    else:
        block.skip = ChannelScale(factor)
    block.norm = nn.Identity()
