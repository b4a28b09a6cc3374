"""Work of the encoder on a micrograph: window by window, and shared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from frostpick.models.cryomae.attention import BLOCK
from frostpick.models.cryomae.encoder import tokens_along
from frostpick.models.cryomae.geometry import KERNEL, PX_PER_DIAMETER, WINDOW
from frostpick.models.cryomae.pooling import PLACES, RADII, SIDE
from frostpick.models.cryomae.presets import Preset


def window_flops(preset: Preset) -> int:
    """Return the floating-point operations of encoding one window of 14 x 14 tokens.

    A multiplication and an addition count as two; normalisations and activations are left
    out, as in the usual figures (they are about 1 %).
    """
    tokens, width = WINDOW**2, preset.width
    linear = tokens * 12 * width**2
    attention = 2 * tokens * tokens * width
    return 2 * (tokens * KERNEL**2 * width + preset.blocks * (linear + attention))


def sliding_flops(preset: Preset, shape: Sequence[int], window_px: float, stride_px: float) -> int:
    """Return the work of every window of a micrograph of ``shape``, as cryoMAE picks.

    Parameters
    ----------
    window_px, stride_px
        Side of a window and distance between two, in micrograph pixels.
    """
    count = math.prod(math.floor((side - window_px) / stride_px) + 1 for side in shape)
    return count * window_flops(preset)


def image_flops(preset: Preset, shape: Sequence[int]) -> int:
    """Return the work of encoding a working image of ``shape`` once, ring means included.

    The tokens in the margin, which is encoded for its neighbours' sake, and the keys that
    a block of queries holds but does not need are counted.
    """
    r, width = preset.reach, preset.width
    rows, columns = (tokens_along(side) for side in shape)
    total = rows * columns * KERNEL**2 * width
    for _ in range(preset.blocks):
        total += rows * columns * 3 * width**2
        rows, columns = rows - 2 * r, columns - 2 * r
        blocks = math.ceil(rows / BLOCK) * math.ceil(columns / BLOCK)
        total += blocks * BLOCK**2 * (2 * (BLOCK + 2 * r) ** 2 * width + width**2)
        total += rows * columns * 8 * width**2
    places = math.ceil((rows - SIDE + 1) / PLACES) * math.ceil((columns - SIDE + 1) / PLACES)
    total += places * PLACES**2 * len(RADII) * (PLACES + SIDE - 1) ** 2 * width
    return 2 * total


def dense_flops(preset: Preset, shape: Sequence[int], window_px: float, tile: int) -> int:
    """Return the work of the shared encoding of a micrograph, tiles and margins included.

    Parameters
    ----------
    shape
        Of the micrograph in its own pixels.
    window_px
        Two diameters in micrograph pixels.
    tile
        Most outputs along a side of a tile; see `frostpick.picking.dense.score_map`.
    """
    step = window_px / (2 * PX_PER_DIAMETER)
    outputs = [math.ceil((math.floor(side / step) + 1) / 4) for side in shape]
    tiles = [math.ceil(n / tile) for n in outputs]
    field = 2 * preset.reach * preset.blocks + SIDE
    inputs = [4 * (math.ceil(n / t) + field - 1) + 1 for n, t in zip(outputs, tiles, strict=True)]
    return math.prod(tiles) * image_flops(preset, inputs)
