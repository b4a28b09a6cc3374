"""The arithmetic of a box network, counted."""

from __future__ import annotations

import torch
from torch import nn


def macs_per_box(network: nn.Module, side: int) -> int:
    """Return the multiply-accumulates of one input of ``side`` x ``side``, counted by hooks."""
    total = 0

    def count(layer: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            per_output = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
            total += per_output * out.numel()
        elif isinstance(layer, nn.Linear):
            total += layer.in_features * out.numel()

    kinds = (nn.Conv2d, nn.Linear)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 1, side, side))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
