"""Which picks a person is to judge: one from each of many strata of score, around a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.picking.threshold import Cut
from frostpick.types import sigmoid

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

#: Cuts whose precision is to be known best: from this part of the selected picks to that.
FIRST_CUT, LAST_CUT = 0.5, 1.4
CUTS = 24
#: Added to the variance p (1 - p) of a judgement that the model expects: that of an even chance,
#: because an audit is there for the case that the model is wrong. With less, the uneven weights
#: cost more than the better places bring (tests/benchmarks/audit.md).
DOUBT = 0.25
#: Draws that are tried for one with no more picks of a micrograph than `_most_of_each` says.
TRIES = 200
#: So many picks of one micrograph are never too many.
FEW = 3


@dataclass(frozen=True)
class Strata:
    """The best picks of a job, cut by score into strata; those below the last are in none.

    Parameters
    ----------
    size
        ``(h,)`` int64, picks in each, the best stratum first.
    least
        ``(h,)`` float64, falling: the least score in each.
    """

    size: Index
    least: Floats

    def __len__(self) -> int:
        return len(self.size)


def cut_strata(scores: Floats, threshold: float, picks: int) -> Strata:
    """Return about ``picks`` strata, of which one ends at the threshold.

    A stratum is as large as its picks matter little. Neyman's allocation gives a stratum
    judgements in proportion to its size times the deviation of one; summed over the variances
    of the precision at the cuts from half as many picks as are selected to 1.4 times as many,
    a pick counts ``sqrt(v sum_c 1 / n_c^2)``, where c runs over the cuts that contain it, n_c
    are their picks, and v = p (1 - p) + `DOUBT` with the model's own probability p.

    Parameters
    ----------
    scores
        ``(n,)`` log-odds of all picks, any order.
    threshold
        The one in force, in score units.
    picks
        How many are to be judged.

    Raises
    ------
    InputError
        There is no pick with a score.
    """
    ranked = np.sort(scores[np.isfinite(scores)])[::-1]
    if not len(ranked):
        raise InputError("there is no pick to judge: this job has none above the floor")
    selected = Cut(threshold).count(ranked) or min(len(ranked), picks)
    last = min(len(ranked), max(round(LAST_CUT * selected), picks))
    weight = _weight(ranked[:last], max(1, round(FIRST_CUT * selected)))
    share = weight[:selected].sum() / weight.sum()
    above = picks if last == selected else int(np.clip(round(picks * share), 1, picks - 1))
    ends = [
        *_ends(weight[:selected], above),
        *(selected + end for end in _ends(weight[selected:], picks - above)),
    ]
    # Equal scores are in one stratum: a threshold cannot tell them apart.
    ties = [int(np.count_nonzero(ranked >= ranked[end - 1])) for end in ends]
    edges = np.unique([0, *ties])
    return Strata(np.diff(edges).astype(np.int64), ranked[edges[1:] - 1])


def stratum_of(strata: Strata, scores: Floats) -> Index:
    """Return the stratum of each score, ``len(strata)`` for those below the last."""
    return np.searchsorted(-strata.least, -scores, side="left").astype(np.int64)


def draw_picks(
    strata: Strata, scores: Floats, micrograph: Index, seed: int, drawn: Index | None = None
) -> Index:
    """Draw one pick of each stratum, every one of its picks alike, at most a few of a micrograph.

    A cap for all micrographs alike would hide the one that is full of junk. So a draw is thrown
    away as a whole where a micrograph has more than twice its expected share of it, and more
    than `FEW`.

    Parameters
    ----------
    scores, micrograph
        ``(n,)`` score and number of the micrograph of all picks.
    drawn
        Picks that are not drawn again.

    Returns
    -------
    ndarray
        ``(m,)`` int64, indices of picks by rising stratum; a stratum that was drawn whole has
        none.
    """
    stratum = stratum_of(strata, scores)
    inside = np.flatnonzero(stratum < len(strata))
    expected = np.bincount(
        micrograph[inside], 1 / strata.size[stratum[inside]], minlength=int(micrograph.max()) + 1
    )
    most = np.maximum(FEW, np.ceil(2 * expected))
    left = inside if drawn is None else np.setdiff1d(inside, drawn)
    left = left[np.argsort(stratum[left], kind="stable")]
    _, first, count = np.unique(stratum[left], return_index=True, return_counts=True)
    rng = np.random.default_rng(seed)
    best: tuple[float, Index] = (np.inf, np.zeros(0, np.int64))
    for _ in range(TRIES):
        chosen = left[first + rng.integers(0, count)]
        counts = np.bincount(micrograph[chosen], minlength=len(most))
        over = float(np.maximum(counts - most, 0).sum())
        if over < best[0]:
            best = (over, chosen.astype(np.int64))
        if over == 0:
            break
    return best[1]


def _weight(ranked: Floats, first: int) -> Floats:
    """Return how much each pick counts, from the best down; ``first`` picks are the least cut."""
    p = sigmoid(ranked)
    cuts = np.unique(np.linspace(first, len(ranked), CUTS).round().astype(np.int64))
    ends = np.zeros(len(ranked) + 1)
    np.add.at(ends, cuts, 1.0 / cuts.astype(np.float64) ** 2)
    contained = np.cumsum(ends[::-1])[::-1][1:]
    weights: Floats = np.sqrt((p * (1 - p) + DOUBT) * contained)
    return weights


def _ends(weight: Floats, parts: int) -> list[int]:
    """Return where each of ``parts`` of about equal weight ends; none is empty."""
    n = len(weight)
    parts = min(parts, n)
    if parts < 1:
        return []
    total = np.cumsum(weight)
    at = np.searchsorted(total, total[-1] * np.arange(1, parts + 1) / parts - 1e-12) + 1
    at = np.minimum(at, n - parts + np.arange(1, parts + 1))
    at[-1] = n
    at = np.maximum.accumulate(at - np.arange(parts)) + np.arange(parts)
    return [int(end) for end in at]
