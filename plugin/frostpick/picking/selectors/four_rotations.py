"""DeepEM's rule from scores to picks: a gate on the local deviation, and two passes of maxima.

Written after the authors' code (Zhu et al. 2017). There the gate is in grey levels and
re-tuned for each data set; here it is relative to the micrograph's median
(`frostpick.picking.deviation`). There the second pass runs once; here until no two picks are
within its range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import max_pool2d

from frostpick.models.networks.dense import DenseNetwork
from frostpick.picking.dense import ScoreMap, score_map
from frostpick.picking.deviation import GATE, relative_deviation
from frostpick.picking.peaks import Peaks, refine
from frostpick.picking.rotations import FourRotations
from frostpick.preprocess import WorkingImage

#: Range of the first pass in diameters. KLH's 70 pixels are .39, 19S's 100 pixels .94.
FIRST_RANGE = 0.5


def gated_mean(
    network: DenseNetwork,
    working: WorkingImage,
    px_per_diameter: float,
    constants: Mapping[str, float],
) -> ScoreMap:
    """Score a working image by the mean over four rotations, ``-inf`` outside the gate.

    Parameters
    ----------
    constants
        ``gate_low`` and ``gate_high``; those of `GATE` where they are missing.
    """
    gate = (constants.get("gate_low", GATE[0]), constants.get("gate_high", GATE[1]))
    scores = score_map(FourRotations(network).eval(), working)
    return gated(scores, working, px_per_diameter, gate)


def gated(
    scores: ScoreMap, working: WorkingImage, px_per_diameter: float, gate: tuple[float, float]
) -> ScoreMap:
    """Return the scores with ``-inf`` where the relative deviation is outside the gate.

    Parameters
    ----------
    scores
        Of ``working``, one output every so many of its pixels, from pixel (0, 0) on.
    gate
        Smallest and largest `relative_deviation`, both allowed.
    """
    stride = [
        round(step / pixel)
        for step, pixel in zip(scores.sampling.step_yx, working.sampling.step_yx, strict=True)
    ]
    ratio = relative_deviation(working, px_per_diameter)[:: stride[0], :: stride[1]]
    shut = (ratio < gate[0]) | (ratio > gate[1])
    return replace(
        scores, logits=scores.logits.masked_fill(shut.to(scores.logits.device), -math.inf)
    )


def two_pass_maxima(
    scores: ScoreMap,
    first_range_px: float,
    min_distance_px: float,
    floor_logit: float,
    max_peaks: int,
) -> Peaks:
    """Return the picks of two passes of local maxima, refined between the cells.

    First every cell above the floor moves to the best cell within ``first_range_px`` along
    both axes (a square); then, of the cells reached, each moves to the best one that is
    nearer than ``min_distance_px`` along both axes, until none moves.

    Parameters
    ----------
    scores
        Logits with their sampling; ``-inf`` is never a pick.
    first_range_px, min_distance_px
        In micrograph pixels.
    floor_logit
        Cells below are no picks.
    max_peaks
        Return the best so many.
    """
    logits = scores.logits.detach().float().cpu()
    steps = scores.sampling.step_yx
    alive = torch.where(logits >= floor_logit, logits, -math.inf)
    heads = _best_within(alive, [math.floor(first_range_px / step) for step in steps])
    near = [math.ceil(min_distance_px / step) - 1 for step in steps]  # nearer than, not as near as
    while True:
        merged = _best_within(torch.where(heads, logits, -math.inf), near)
        if bool((merged == heads).all()):
            break
        heads = merged
    values: NDArray[np.float32] = logits.numpy()
    rows, columns = np.nonzero(heads.numpy())
    order = np.argsort(-values[rows, columns], kind="stable")[:max_peaks]
    rows, columns = rows[order], columns[order]
    at = scores.sampling.to_parent(
        np.stack([rows, columns], axis=1) + refine(values, rows, columns)
    )
    return Peaks(at[:, 0], at[:, 1], values[rows, columns].astype(np.float64))


def _best_within(values: torch.Tensor, reach: list[int]) -> torch.Tensor:
    """Return which cells of ``(h, w)`` are the best within ``reach`` of a finite cell."""
    ry, rx = (min(max(r, 0), side - 1) for r, side in zip(reach, values.shape, strict=True))
    _, index = max_pool2d(
        values[None, None],
        (2 * ry + 1, 2 * rx + 1),
        stride=1,
        padding=(ry, rx),
        return_indices=True,
    )
    best = torch.zeros(values.numel(), dtype=torch.bool)
    best[index[0, 0][torch.isfinite(values)]] = True
    return best.reshape(values.shape)
