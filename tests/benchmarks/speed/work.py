"""Count first: floating-point work and bytes of a micrograph and of a training step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from frostpick.models.networks.dense import DenseNetwork

#: Bytes of a value of the file and of the network.
FLOAT32 = 4


@dataclass(frozen=True)
class Work:
    """Floating-point operations (a multiply-add is two) and bytes moved."""

    flop: float
    bytes: float

    def __add__(self, other: Work) -> Work:
        return Work(self.flop + other.flop, self.bytes + other.bytes)

    def seconds(self, flop_rate: float, byte_rate: float) -> float:
        """Return the least time: arithmetic and memory side by side, the slower one counts."""
        return max(self.flop / flop_rate, self.bytes / byte_rate)


def network_work(network: nn.Module, shape: tuple[int, ...]) -> Work:
    """Return the convolutions of one pass over ``shape`` (b, 1, h, w), halo included.

    Each tensor is moved once: input and weights read, output written, as float32.
    """
    moved = 0

    def hook(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal moved
        weights = sum(p.numel() for p in layer.parameters())
        moved += FLOAT32 * (inputs[0].numel() + weights + output.numel())

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(shape))
    for handle in handles:
        handle.remove()
    return Work(float(counter.get_total_flops()), float(moved))


def micrograph_work(side: int, working: int) -> dict[str, Work]:
    """Return the least work on a square micrograph before the network.

    Parameters
    ----------
    side, working
        Of the micrograph and of the working image, in pixels.

    Notes
    -----
    A real transform of n values takes 2.5 n log2 n operations, a complex one 5 n log2 n.
    All rows are transformed; of the columns only the frequencies that are kept.
    """
    kept = working // 2 + 1
    down = side * 2.5 * side * math.log2(side) + kept * 5 * side * math.log2(side)
    up = kept * 5 * working * math.log2(working) + working * 2.5 * working * math.log2(working)
    pixels, small = FLOAT32 * side * side, FLOAT32 * working * working
    return {
        "read": Work(0.0, float(pixels)),
        "rescale": Work(down + up, float(pixels + 2 * FLOAT32 * side * 2 * kept + small)),
        "normalise": Work(10.0 * working * working, 10.0 * small),
    }


def network_on_micrograph(network: DenseNetwork, working: int) -> Work:
    """Return the network's pass over a padded square working image."""
    side = working + network.receptive_field - 1
    return network_work(network, (1, 1, side, side))


def training_step_work(network: nn.Module, tiles: int, side: int) -> Work:
    """Return forward and backward of a step on ``tiles`` square tiles.

    Bytes: three times the forward's, for the backward reads the gradient of every output
    twice, input and weights once, and writes a gradient for each.
    """
    forward = network_work(network, (tiles, 1, side, side))
    network.train().requires_grad_(True)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(tiles, 1, side, side)).sum().backward()
    return Work(float(counter.get_total_flops()), 3 * forward.bytes)
