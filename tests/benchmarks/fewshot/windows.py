"""The paper's way: every window encoded by itself. For comparison only."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch

from frostpick.models.cryomae.exemplar import CosineHead, ExemplarNetwork
from frostpick.models.cryomae.geometry import CROP, PITCH, grid
from frostpick.picking.dense import ScoreMap
from frostpick.picking.surroundings import continued, mirror_pad
from frostpick.preprocess import WorkingImage
from frostpick.runtime.precision import native_precision
from frostpick.training.cryomae.exemplars import MIDDLE, STILL, windows
from frostpick.training.cryomae.finish import pulled
from frostpick.training.examples import Points, TrainingImage

#: Windows encoded at once.
BATCH = 64


def window_maps(
    network: ExemplarNetwork,
    working: WorkingImage,
    stride: int,
    heads: Mapping[str, CosineHead],
) -> dict[str, ScoreMap]:
    """Score windows of 14 x 14 tokens around every ``stride``-th token's place.

    The places are those of `score_map`: working pixels ``stride * PITCH * k``. Each window is
    encoded once and compared by all ``heads``; the maps are by their names.
    """
    device = working.data.device
    network = network.to(device)
    step = stride * PITCH
    shape = tuple((side - 1) // step + 1 for side in working.data.shape)
    # as far as the shared map looks; what lies beyond is seen by no token that counts
    seen = network.receptive_field // 2
    padded = mirror_pad(continued(working.data, seen), CROP - seen)
    at = [(y, x) for y in range(shape[0]) for x in range(shape[1])]
    logits: dict[str, list[torch.Tensor]] = {name: [] for name in heads}
    with torch.inference_mode():
        for k in range(0, len(at), BATCH):
            crops = torch.stack([_window(padded, y * step, x * step) for y, x in at[k : k + BATCH]])
            pooled = _pooled(network, crops[:, None])
            for name, head in heads.items():
                logits[name].append(head(pooled).float())
    sampling = working.sampling.child((shape[0], shape[1]), (step, step), (0.0, 0.0))
    return {
        name: ScoreMap(torch.cat(parts).view(*shape), sampling) for name, parts in logits.items()
    }


def window_head(
    network: ExemplarNetwork, working: WorkingImage, exemplars_yx: Points, pull: float
) -> CosineHead:
    """Return the network's head with its exemplars described as windows.

    A trained model describes them by the shared encoding, as it describes a micrograph. Who
    picks by windows would not.

    Parameters
    ----------
    working
        The exemplars' micrograph.
    exemplars_yx
        ``(n, 2)`` in working pixels.
    pull
        See `frostpick.training.cryomae.finish.pulled`.
    """
    image = TrainingImage(
        "exemplars", working.data.cpu().numpy(), working.sampling, exemplars_yx, np.zeros((0, 2))
    )
    places = [(0, float(y), float(x)) for y, x in exemplars_yx for _ in range(4)]
    turns = [0, 1, 2, 3] * len(exemplars_yx)
    shown = windows([image], places, turns, [STILL] * len(places))
    head = copy.deepcopy(network.head)
    with torch.inference_mode():
        pooled = _pooled(network, shown.crops.to(working.data.device))
        head.exemplars = pulled(head.standardised(pooled), pull)
    return head


def _pooled(network: ExemplarNetwork, crops: torch.Tensor) -> torch.Tensor:
    """Return the ring means around the middle of windows ``(b, 1, CROP, CROP)``, float32."""
    device = crops.device
    bfloat = native_precision(device) == "bfloat16"
    centre = torch.full((len(crops), 2), MIDDLE, device=device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat):
        tokens = network.encoder(crops)
    pooled: torch.Tensor = network.pooling(tokens.float(), centre, grid().to(device))
    return pooled


def _window(padded: torch.Tensor, y: int, x: int) -> torch.Tensor:
    top, left = y + CROP - STILL[0], x + CROP - STILL[1]
    return padded[top : top + CROP, left : left + CROP]
