"""Few-shot scorer: how like the most similar exemplar is the window around each place."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from frostpick.models.cryomae.encoder import Encoder
from frostpick.models.cryomae.geometry import PITCH
from frostpick.models.cryomae.pooling import PLACES, RADII, SIDE, RingPooling
from frostpick.models.cryomae.presets import preset as find_preset
from frostpick.models.networks.dense import DenseNetwork

#: A cosine is pulled in by this factor, so that its inverse hyperbolic tangent stays finite.
SHY = 0.999
MATCHING = ("max", "mean")


class ExemplarNetwork(DenseNetwork):
    """Cosine between the descriptor of every place and those of the exemplars.

    The logit is ``atanh`` of the largest cosine (cryoMAE's rule; ``mean`` takes the mean
    over exemplars), which stretches the two ends where all cosines crowd. The descriptors
    have the mean and deviation of unlabelled windows taken off: raw tokens share one
    direction, and the cosine of any two of them is near 1.

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
        self.encoder = Encoder(find_preset(preset))
        self.pooling = RingPooling()
        self.receptive_field = PITCH * (2 * self.encoder.halo + SIDE) + 1
        size = len(RADII) * self.encoder.preset.width
        self.head = CosineHead(size, exemplars, matching)

    def descriptors(self, images: torch.Tensor) -> torch.Tensor:
        """Return the unit descriptor of every place of ``(b, 1, h, w)``: ``(b, oh, ow, size)``."""
        return self.head.standardised(self.pooling.dense(self.encoder.dense(images)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score ``(b, 1, h, w)`` float32; return ``(b, 1, oh, ow)``."""
        tokens = self.encoder.dense(x)
        # in strips, so that the descriptors, which outweigh the tokens, stay in the cache
        strips = [
            self.head(self.pooling.dense(tokens[:, top : top + PLACES + SIDE - 1]))
            for top in range(0, tokens.shape[1] - SIDE + 1, PLACES)
        ]
        return torch.cat(strips, dim=1)[:, None]


class CosineHead(nn.Module):
    """From pooled tokens to the logit of `ExemplarNetwork`; stays float32 when it picks.

    Parameters
    ----------
    size
        Length of a descriptor.
    exemplars, matching
        As in `ExemplarNetwork`.
    """

    def __init__(self, size: int, exemplars: int, matching: str) -> None:
        super().__init__()
        if exemplars < 1:
            raise ValueError(f"exemplars {exemplars}, expected at least 1")
        if matching not in MATCHING:
            raise ValueError(f"matching {matching!r}, expected one of {', '.join(MATCHING)}")
        self.matching = matching
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.register_buffer("exemplars", torch.zeros(exemplars, size))

    def standardised(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return unit descriptors ``(..., size)`` of pooled tokens ``(..., size)``."""
        moved = (pooled.float() - self.get_buffer("centre")) / self.get_buffer("spread")
        return F.normalize(moved, dim=-1)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return logits ``(...)`` of pooled tokens ``(..., size)``."""
        exemplars = self.get_buffer("exemplars")
        return cosine_logit(matched(self.standardised(pooled), exemplars, self.matching))


def cosine_logit(cosine: torch.Tensor) -> torch.Tensor:
    """Return ``atanh`` of cosines, finite for -1 and 1 too."""
    return (SHY * cosine).atanh()


def matched(
    descriptors: torch.Tensor, exemplars: torch.Tensor, matching: str = "max"
) -> torch.Tensor:
    """Return the largest (or mean) cosine ``(...)`` of ``(..., size)`` to ``(m, size)``."""
    cosines = descriptors @ exemplars.T
    return cosines.amax(-1) if matching == "max" else cosines.mean(-1)
