"""The paper's way: every window encoded by itself. For comparison only."""

from __future__ import annotations

import torch

from frostpick.inference.dense import ScoreMap, mirror_pad
from frostpick.models.exemplar import ExemplarNetwork
from frostpick.models.mae.geometry import CROP, PITCH, grid
from frostpick.preprocess import WorkingImage
from frostpick.runtime.precision import native_precision
from frostpick.training.exemplars import MIDDLE, STILL

#: Windows encoded at once.
BATCH = 64


def window_map(network: ExemplarNetwork, working: WorkingImage, stride: int) -> ScoreMap:
    """Score windows of 14 x 14 tokens around every ``stride``-th token's place.

    The places are those of `score_map`: working pixels ``stride * PITCH * k``.
    """
    device = working.data.device
    network = network.to(device)
    step = stride * PITCH
    shape = tuple((side - 1) // step + 1 for side in working.data.shape)
    padded = mirror_pad(working.data, CROP)
    at = [(y, x) for y in range(shape[0]) for x in range(shape[1])]
    centre = torch.full((BATCH, 2), MIDDLE, device=device)
    logits = []
    bfloat = native_precision(device) == "bfloat16"
    with torch.inference_mode():
        for k in range(0, len(at), BATCH):
            crops = torch.stack([_window(padded, y * step, x * step) for y, x in at[k : k + BATCH]])
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat):
                tokens = network.encoder(crops[:, None])
            pooled = network.pooling(tokens.float(), centre[: len(crops)], grid().to(device))
            logits.append(network.head(pooled))
    scores = torch.cat(logits).view(*shape)
    sampling = working.sampling.child((shape[0], shape[1]), (step, step), (0.0, 0.0))
    return ScoreMap(scores.float(), sampling)


def _window(padded: torch.Tensor, y: int, x: int) -> torch.Tensor:
    top, left = y + CROP - STILL[0], x + CROP - STILL[1]
    return padded[top : top + CROP, left : left + CROP]
