"""One logit for every stride-th pixel of a working image, tile by tile.

The image goes on by half a receptive field on all sides (`surroundings`), so output ``k`` of the
unpadded network sits on working pixel ``stride * k``. The tile grid depends on the
image's size and on constants only, never on the memory at hand, and any grid gives
the same logits up to the order of summation.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from frostpick.errors import DeviceError, option
from frostpick.models.networks.dense import DenseNetwork
from frostpick.picking.surroundings import continued
from frostpick.preprocess import WorkingImage
from frostpick.sampling import Sampling

log = logging.getLogger(__name__)

#: Most outputs along a side of a tile: one tile for most micrographs, for what neighbours
#: have in common is computed twice.
TILE = 256
#: Tiles scored at once on a GPU; one at a time on the CPU.
GPU_BATCH = 4


@dataclass(frozen=True)
class ScoreMap:
    """Raw logits of a micrograph.

    Parameters
    ----------
    logits
        ``(oh, ow)`` float32.
    sampling
        The grid of the logits in micrograph pixels.
    """

    logits: torch.Tensor
    sampling: Sampling


def score_map(network: DenseNetwork, working: WorkingImage, *, tile: int = TILE) -> ScoreMap:
    """Score a whole working image.

    Parameters
    ----------
    network
        In evaluation mode, on the device of ``working.data``; fastest by `prepared_for_inference`.
    working
        From `preprocess`.
    tile
        Most outputs along a side of a tile.

    Returns
    -------
    ScoreMap
        Output ``(i, j)`` on working pixel ``(stride * i, stride * j)``, for every
        such pixel of the image.

    Raises
    ------
    DeviceError
        The GPU's memory is too small, also for half a batch.
    """
    stride, field = network.stride, network.receptive_field
    shape = (
        (working.data.shape[0] - 1) // stride + 1,
        (working.data.shape[1] - 1) // stride + 1,
    )
    padded = continued(working.data, field // 2)
    logits = torch.empty(shape, dtype=torch.float32, device=padded.device)
    height, width = (_even_share(side, tile) for side in shape)
    corners = [(y, x) for y in _starts(shape[0], height) for x in _starts(shape[1], width)]
    window = (network.input_side(height), network.input_side(width))
    batch = GPU_BATCH if padded.is_cuda else 1
    with torch.inference_mode():
        for part, scores in _scored(network, padded, corners, window, batch):
            for (y, x), values in zip(part, scores, strict=True):
                logits[y : y + height, x : x + width] = values
    return ScoreMap(logits, working.sampling.child(shape, (stride, stride), (0.0, 0.0)))


def _even_share(side: int, most: int) -> int:
    """Return the outputs a tile has along an axis of ``side``, all tiles alike."""
    return math.ceil(side / math.ceil(side / most))


def _starts(side: int, share: int) -> list[int]:
    """Return the first outputs of the tiles; the last tile is moved back inside."""
    return [min(start, side - share) for start in range(0, side, share)]


Corner = tuple[int, int]


def _scored(
    network: DenseNetwork,
    padded: torch.Tensor,
    corners: list[Corner],
    window: tuple[int, int],
    batch: int,
) -> Iterator[tuple[list[Corner], torch.Tensor]]:
    """Yield corners and logits ``(b, height, width)``; out of memory halves the batch once."""
    halved = False
    while corners:
        part = corners[:batch]
        try:
            scores = _score_batch(network, padded, part, window)
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            if halved or batch == 1:
                raise DeviceError(
                    f"the GPU ran out of memory with {len(part)} tiles of "
                    f"{window[0]} x {window[1]} pixels; "
                    f"choose another GPU or {option('device', 'cpu')}"
                ) from error
            batch, halved = batch // 2, True
            log.warning("the GPU ran out of memory; going on with %d tiles at a time", batch)
            continue
        yield part, scores
        corners = corners[batch:]


def _score_batch(
    network: DenseNetwork, padded: torch.Tensor, part: list[Corner], window: tuple[int, int]
) -> torch.Tensor:
    stride, (rows, columns) = network.stride, window
    tiles = torch.stack(
        [padded[stride * y :, stride * x :][:rows, :columns] for y, x in part]
    ).unsqueeze(1)
    return network(tiles)[:, 0]  # type: ignore[no-any-return]
