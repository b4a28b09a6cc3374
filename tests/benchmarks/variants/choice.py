"""Which variant helps, judged on sets that did not choose it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: AP by variant, set and draw.
Scores = Mapping[str, Mapping[str, Mapping[int, float]]]


@dataclass(frozen=True)
class LeftOut:
    """The variant that the other sets choose, and what it and the default give on this one."""

    set: str
    chosen: str
    ap: float
    default_ap: float


def set_mean(scores: Scores, variant: str, name: str) -> float:
    """Return the mean AP over draws, NaN without any."""
    found = list(scores.get(variant, {}).get(name, {}).values())
    return float(np.mean(found)) if found else float("nan")


def complete(scores: Scores, sets: Sequence[str], default: str) -> list[str]:
    """Return the variants that have every run the default has: only they can be compared."""
    wanted = {(name, draw) for name in sets for draw in scores[default].get(name, {})}
    return [
        variant
        for variant, by_set in scores.items()
        if wanted <= {(name, draw) for name, draws in by_set.items() for draw in draws}
    ]


def leave_one_out(scores: Scores, sets: Sequence[str], default: str) -> list[LeftOut]:
    """Choose by the mean AP of all sets but one, and judge on that one; each set in turn.

    Equal means go to the variant that comes first, the default.
    """
    able = complete(scores, sets, default)
    able = [default, *[v for v in able if v != default]]
    found = []
    for left in sets:
        others = [name for name in sets if name != left]
        means = [np.mean([set_mean(scores, v, name) for name in others]) for v in able]
        chosen = able[int(np.argmax(means))]
        found.append(
            LeftOut(left, chosen, set_mean(scores, chosen, left), set_mean(scores, default, left))
        )
    return found


def paired_difference(
    scores: Scores, variant: str, default: str
) -> tuple[float, float, float, int]:
    """Return mean difference to the default, its standard error, the worst set's, and the pairs.

    The same labels make a pair. The mean is over sets of the means over draws; its error
    from the spread within sets, NaN where no set has two pairs.
    """
    means, variances, count = [], [], 0
    for name, draws in scores[variant].items():
        other = scores[default].get(name, {})
        differences = [ap - other[draw] for draw, ap in draws.items() if draw in other]
        count += len(differences)
        if differences:
            means.append(float(np.mean(differences)))
        if len(differences) > 1:
            variances.append(float(np.var(differences, ddof=1)) / len(differences))
    if not means:
        return (float("nan"),) * 3 + (0,)
    error = float(np.sqrt(np.mean(variances) / len(means))) if variances else float("nan")
    return float(np.mean(means)), error, min(means), count
