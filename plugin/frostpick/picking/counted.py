"""Rules that ask for a number of picks: a part of a job's, or so many of each micrograph.

The best by score are selected. Of equal scores the first ones are: in the job's order of
micrographs, and on a micrograph by position (`Picks.sorted`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.threshold import EVEN_ODDS, Cut
from frostpick.settings.threshold import Threshold

Floats = NDArray[np.float64]


def counted_cuts(scores: Sequence[Floats], rule: Threshold) -> list[Cut]:
    """Return the cut of each micrograph, by ``fraction=F`` or ``per-micrograph=N``.

    Parameters
    ----------
    scores
        ``(n,)`` finite scores of the picks of each micrograph, in the job's order.

    Raises
    ------
    ValueError
        The rule does not count picks.
    """
    if rule.kind == "fraction":
        return _best_of_all(scores, rule.value)
    if rule.kind == "per-micrograph":
        return _best_of_each(scores, int(rule.value))
    raise ValueError(f"{rule.text} does not count picks: see choose_threshold")


def wanted_of(picks: int, fraction: float) -> int:
    """Return how many of some picks a fraction is: the least number that is no smaller part."""
    return min(picks, math.ceil(fraction * picks - 1e-9))


def least_of(cuts: Sequence[Cut], scores: Sequence[Floats]) -> float:
    """Return the least score that cuts select; that of even odds where they select none."""
    chosen = [s[c.selects(s)] for c, s in zip(cuts, scores, strict=True)]
    return min((float(s.min()) for s in chosen if len(s)), default=EVEN_ODDS)


def _best_of_all(scores: Sequence[Floats], fraction: float) -> list[Cut]:
    everything = np.sort(np.concatenate([np.zeros(0), *scores]))[::-1]
    wanted = wanted_of(len(everything), fraction)
    if not wanted:
        return [Cut(EVEN_ODDS)] * len(scores)
    least = float(everything[wanted - 1])
    left = wanted - int(np.count_nonzero(everything > least))
    cuts = []
    for own in scores:
        equal = int(np.count_nonzero(own == least))
        taken = min(equal, left)
        left -= taken
        above = int(np.count_nonzero(own > least))
        cuts.append(Cut(least) if taken == equal else Cut(least, above + taken))
    return cuts


def _best_of_each(scores: Sequence[Floats], number: int) -> list[Cut]:
    cuts = []
    for own in scores:
        best = np.sort(own)[::-1][:number]
        cuts.append(Cut(float(best[-1]) if len(best) else EVEN_ODDS, number))
    return cuts
