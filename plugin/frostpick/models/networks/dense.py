"""What inference and training ask of a picking network."""

from __future__ import annotations

import torch
from torch import nn


class DenseNetwork(nn.Module):
    """A strided, unpadded ("valid") convolutional scorer; abstract.

    Output ``(i, j)`` of an input of ``h x w`` depends on input rows
    ``stride*i ... stride*i + receptive_field - 1`` only, and scores their centre
    ``stride*i + (receptive_field - 1) / 2``; ``receptive_field`` is odd, so the
    centre is a pixel. No layer looks at the rest of the image (no batch
    statistics in evaluation), so tiles and whole images give the same logits.
    """

    stride: int
    receptive_field: int
    #: Whether the rounding of bfloat16 would spoil the answer.
    only_float32: bool = False

    def output_side(self, side: int) -> int:
        """Return the outputs along an axis of ``side`` input pixels."""
        return (side - self.receptive_field) // self.stride + 1

    def input_side(self, outputs: int) -> int:
        """Return the smallest input side that yields ``outputs`` along an axis."""
        return self.receptive_field + self.stride * (outputs - 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score ``(b, 1, h, w)`` float32; return logits ``(b, 1, oh, ow)``."""
        raise TypeError(f"{type(self).__name__} has no forward")
