"""What is measured of scores: accuracy, F1 and calibration, and Topaz's picks made cleaner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from frostpick.evaluation.calibration_error import calibration_error
from frostpick.picking.threshold import choose_threshold
from frostpick.pruning.boxes import Boxes
from frostpick.pruning.figure_of_merit import figure_of_merit_feature
from frostpick.pruning.prior import log_odds, particle_share
from frostpick.types import sigmoid
from pruning.sets import SETS, topaz_picks

#: A pick is right within this many diameters of a particle.
MATCH = 0.25
#: Share of Topaz's recall that is to be left.
LEFT = 0.93


def box_figures(score: np.ndarray, good: np.ndarray) -> tuple[float, float, float]:
    """Return accuracy and F1 of scores ``(n,)`` at 0, and their expected calibration error."""
    kept = score >= 0
    hits = int((kept & good).sum())
    f1 = 2 * hits / max(1, int(kept.sum()) + int(good.sum()))
    return float((kept == good).mean()), f1, calibration_error(sigmoid(score), good)


def right_picks(
    xy: np.ndarray, particles: np.ndarray, diameter_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Match picks, best first, to particles one to one, each to the nearest that is free.

    Returns
    -------
    ndarray
        ``(n,)`` bool, picks within `MATCH` of a whole particle.
    ndarray
        ``(n,)`` bool, picks within it of one that the border cuts, which do not count.
    """
    right, cut = np.zeros(len(xy), np.bool_), np.zeros(len(xy), np.bool_)
    free = np.ones(len(particles), np.bool_)
    for number, (x, y) in enumerate(xy):
        distance = np.hypot(particles[:, 0] - x, particles[:, 1] - y)
        distance[~free] = np.inf
        if not len(distance) or distance.min() > MATCH * diameter_px:
            continue
        hit = int(distance.argmin())
        free[hit] = False
        right[number], cut[number] = particles[hit, 2] == 0, particles[hit, 2] != 0
    return right, cut


def precision_left(score: np.ndarray, right: np.ndarray, cut: np.ndarray) -> float:
    """Return the precision where `LEFT` of the right picks are left, cut particles left out."""
    ranked = np.sort(score[right])[::-1]
    kept = (score >= ranked[int(np.ceil(LEFT * len(ranked))) - 1]) & ~cut
    return float(right[kept].mean())


def topaz_figures(
    bench: Path, name: str, side: int, score_of: Callable[[Boxes], np.ndarray]
) -> dict[str, float]:
    """Return precision and recall of the recorded picks, before and after pruning.

    ``pruned``: at the score 0. ``at_93``: the precision where 93 % of the recall is left.
    ``images``: by the boxes alone; ``merit``: Topaz's own score counts too; ``auto``: at the
    threshold that a job chooses by itself.
    """
    pixel, diameter = SETS[name]
    rights, cuts, scores, merits, total = [], [], [], [], 0
    for picks in topaz_picks(bench, name, side):
        right, cut = right_picks(picks.xy, picks.particles, diameter / pixel)
        rights.append(right)
        cuts.append(cut)
        scores.append(score_of(picks.boxes))
        merits.append(picks.merit)
        total += int((picks.particles[:, 2] == 0).sum())
    right, cut, score = np.concatenate(rights), np.concatenate(cuts), np.concatenate(scores)

    def of(kept: np.ndarray) -> tuple[float, float]:
        kept = kept & ~cut
        return float(right[kept].mean()) if kept.any() else 0.0, float(right[kept].sum() / total)

    before = of(np.ones(len(right), np.bool_))
    figures = {"topaz_precision": before[0], "topaz_recall": before[1]}
    word = figure_of_merit_feature(score, np.concatenate(merits))
    assert word is not None
    for kind, values in (("images", score), ("merit", score + word.added)):
        here = values + log_odds(particle_share(values))
        after, auto = of(values >= 0), of(here >= choose_threshold(here, "auto"))
        figures |= {f"{kind}_precision": after[0], f"{kind}_recall": after[1]}
        figures |= {f"{kind}_auto_precision": auto[0], f"{kind}_auto_recall": auto[1]}
        figures[f"{kind}_at_93"] = precision_left(values, right, cut)
    return figures
