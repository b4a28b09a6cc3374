"""Several ways to score a micrograph from one encoding of it."""

from __future__ import annotations

import torch

from frostpick.models.cryomae.exemplar import ExemplarNetwork, cosine_logit
from frostpick.models.cryomae.pooling import PLACES, SIDE
from frostpick.models.networks.dense import DenseNetwork
from frostpick.picking.dense import ScoreMap, score_map
from frostpick.picking.inference import InferenceNetwork
from frostpick.preprocess import WorkingImage

#: Tokens between scored places.
STRIDES = (2, 3)


class Ways(DenseNetwork):
    """The logit by the largest cosine to an exemplar, as picked, and by the mean cosine."""

    def __init__(self, ready: InferenceNetwork) -> None:
        super().__init__()
        assert isinstance(ready.inner, ExemplarNetwork)
        self.inner = ready.inner
        self.dtype = torch.bfloat16 if ready.precision == "bfloat16" else torch.float32
        self.stride, self.receptive_field = ready.stride, ready.receptive_field
        self.mean = torch.zeros(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits by the largest cosine; keep those by the mean."""
        head = self.inner.head
        tokens = self.inner.encoder.dense(x.to(self.dtype))
        best, mean = [], []
        for top in range(0, tokens.shape[1] - SIDE + 1, PLACES):
            pooled = self.inner.pooling.dense(tokens[:, top : top + PLACES + SIDE - 1]).float()
            cosines = head.standardised(pooled) @ head.get_buffer("exemplars").T
            best.append(cosine_logit(cosines.amax(-1)))
            mean.append(cosine_logit(cosines.mean(-1)))
        self.mean = torch.cat(mean, dim=1)
        return torch.cat(best, dim=1)[:, None]

    def maps(self, working: WorkingImage) -> dict[str, ScoreMap]:
        """Score a working image that fits into one tile in every way."""
        best = score_map(self, working)
        assert self.mean.shape[1:] == best.logits.shape
        strides = {f"stride_{n}": every(best, n) for n in STRIDES}
        return {"max": best, "mean_matching": ScoreMap(self.mean[0], best.sampling), **strides}


def every(scores: ScoreMap, stride: int) -> ScoreMap:
    """Return every ``stride``-th place of a map along both axes."""
    logits = scores.logits[::stride, ::stride].contiguous()
    shape = (logits.shape[0], logits.shape[1])
    return ScoreMap(logits, scores.sampling.child(shape, (stride, stride), (0.0, 0.0)))
