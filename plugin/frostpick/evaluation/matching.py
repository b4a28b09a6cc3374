"""Which pick may be which particle, by three rules, and how well the two agree."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from frostpick.points import pairs_within

Float = NDArray[np.float64]
Index = NDArray[np.int64]

#: ``quarter``, ``half``: centres at most that part of the diameter apart;
#: ``iou50``: squares of the diameter's side overlap with IoU of at least 0.5.
Rule = Literal["quarter", "half", "iou50"]
RULES: tuple[str, ...] = get_args(Rule)

_REACH = {"quarter": 0.25, "half": 0.5, "iou50": 1 / 3}


def match_quality(dx: Float, dy: Float, diameter_px: float, rule: Rule) -> Float:
    """Return how well pick and particle agree, ``(m,)``; a match is a value of 0 or more.

    Pixels to spare for the two distance rules, IoU to spare for ``iou50``.
    """
    if rule == "iou50":
        overlap = np.clip(diameter_px - np.abs(dx), 0, None) * np.clip(
            diameter_px - np.abs(dy), 0, None
        )
        return np.asarray(overlap / (2 * diameter_px * diameter_px - overlap) - 0.5)
    return np.asarray(_REACH[rule] * diameter_px - np.hypot(dx, dy))


def candidate_pairs(
    pick_yx: Float, truth_yx: Float, diameter_px: float, rule: Rule
) -> tuple[Index, Index, Float]:
    """Return all pairs of one micrograph that may match.

    Parameters
    ----------
    pick_yx, truth_yx
        ``(n, 2)`` and ``(t, 2)`` positions in pixels.
    diameter_px, rule
        Particle diameter in pixels and the rule of matching.

    Returns
    -------
    pick, truth : ndarray
        ``(m,)`` int64 indices of the pairs.
    quality : ndarray
        ``(m,)`` float64, see `match_quality`, none below 0.
    """
    # a little farther than the rule goes: the rule itself decides on pairs at the limit
    reach = _REACH[rule] * diameter_px * (1 + 1e-9)
    pick, truth, apart = pairs_within(pick_yx, truth_yx, reach)
    dy, dx = apart.T
    quality = match_quality(dx, dy, diameter_px, rule)
    good = quality >= 0
    return pick[good], truth[good], quality[good]
