"""Few-shot scorer: how like the most similar exemplar is the window around each place."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from frostpick.models.dense import DenseNetwork
from frostpick.models.mae.encoder import Encoder
from frostpick.models.mae.geometry import PITCH
from frostpick.models.mae.pooling import RADII, SIDE, RingPooling
from frostpick.models.mae.presets import preset as find_preset

#: A cosine is pulled in by this factor, so that its inverse hyperbolic tangent stays finite.
SHY = 0.999
MATCHING = ("max", "mean")


class ExemplarNetwork(DenseNetwork):
    """Cosine between the descriptor of every place and those of the exemplars.

    The logit is ``atanh`` of the largest cosine (cryoMAE's rule; ``mean`` takes the mean
    over exemplars), which stretches the two ends where all cosines crowd. The descriptors
    have the mean and deviation that unlabelled windows had before training taken off: raw
    tokens share one direction, and the cosine of any two of them is near 1.

    Parameters
    ----------
    preset
        Size of the encoder: tiny, small or base.
    exemplars
        Descriptors to compare with: exemplars times rotations.
    matching
        ``max`` or ``mean``.
    """

    stride = PITCH

    def __init__(self, preset: str = "tiny", exemplars: int = 1, matching: str = "max") -> None:
        super().__init__()
        if exemplars < 1:
            raise ValueError(f"exemplars {exemplars}, expected at least 1")
        if matching not in MATCHING:
            raise ValueError(f"matching {matching!r}, expected one of {', '.join(MATCHING)}")
        self.matching = matching
        self.encoder = Encoder(find_preset(preset))
        self.pooling = RingPooling()
        size = len(RADII) * self.encoder.preset.width
        self.receptive_field = PITCH * (2 * self.encoder.halo + SIDE) + 1
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.register_buffer("exemplars", torch.zeros(exemplars, size))

    def standardised(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return unit descriptors ``(..., rings * width)`` of pooled tokens."""
        moved = (pooled.float() - self.get_buffer("centre")) / self.get_buffer("spread")
        return F.normalize(moved, dim=-1)

    def descriptors(self, images: torch.Tensor) -> torch.Tensor:
        """Return the unit descriptor of every place of ``(b, 1, h, w)``: ``(b, oh, ow, size)``."""
        return self.standardised(self.pooling.dense(self.encoder.dense(images)))

    def similarity(self, descriptors: torch.Tensor) -> torch.Tensor:
        """Return the cosine that counts, ``(...)``, of unit descriptors ``(..., size)``."""
        return matched(descriptors, self.get_buffer("exemplars"), self.matching)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score ``(b, 1, h, w)`` float32; return ``(b, 1, oh, ow)``."""
        cosine = self.similarity(self.descriptors(x))
        return (SHY * cosine.float()).atanh()[:, None]


def matched(
    descriptors: torch.Tensor, exemplars: torch.Tensor, matching: str = "max"
) -> torch.Tensor:
    """Return the largest (or mean) cosine ``(...)`` of ``(..., size)`` to ``(m, size)``."""
    cosines = descriptors @ exemplars.T
    return cosines.amax(-1) if matching == "max" else cosines.mean(-1)
