"""What a pruning job kept and rejected, and how far its scores can be trusted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from frostpick.picking.threshold import Cut
from frostpick.report.figure import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    Figure,
    drawable,
    drawing,
    finished,
)


def decisions_by_reason(counts: Mapping[str, int]) -> Figure:
    """Draw how many rows are kept, and rejected for each reason.

    Parameters
    ----------
    counts
        ``kept`` and the reasons that occur, as `frostpick.types.Decisions.counts` has them.
    """
    names = list(counts)
    values = [counts[name] for name in names]
    total = max(1, sum(values))
    with drawing(height_in=1.0 + 0.38 * len(names)) as canvas:
        axes = canvas.add_subplot()
        colours = [GREEN if name == "kept" else VERMILLION for name in names]
        axes.barh(range(len(names)), values, color=colours)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set(xlabel="rows", xlim=(0, 1.18 * max([1, *values])))
        axes.grid(axis="y", visible=False)
        for place, value in enumerate(values):
            axes.text(value, place, f" {value:,} ({100 * value / total:.1f} %)", va="center")
        return finished(
            canvas,
            "decisions_by_reason",
            f"What became of all {sum(values):,} rows, those of the histogram of scores: every one"
            " is kept, or rejected for one reason.",
        )


def held_out_curves(score: ArrayLike, good: ArrayLike, threshold: float) -> Figure:
    """Draw ROC and precision-recall of labels by pruners that had not seen them.

    Parameters
    ----------
    score, good
        ``(n,)`` scores, and whether the label is good; both kinds occur.
    threshold
        Score that is marked: even odds, as the labels are scored.
    """
    s, y = np.asarray(score, np.float64), np.asarray(good, np.bool_)
    hits, false, recall, precision = curves(s, y)
    area = _area(hits, false)
    kept = Cut(threshold).selects(s)
    at_recall = float((kept & y).sum() / y.sum())
    at_false = float((kept & ~y).sum() / (~y).sum())
    at_precision = float((kept & y).sum() / max(1, kept.sum()))
    with drawing(height_in=3.6) as canvas:
        left, right = canvas.subplots(1, 2)
        left.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2)
        left.plot(false, hits, color=BLUE)
        left.plot([at_false], [at_recall], "o", color=VERMILLION)
        left.set(xlabel="bad ones kept", ylabel="good ones kept", xlim=(0, 1), ylim=(0, 1.02))
        right.plot(recall, precision, color=BLUE)
        right.plot([at_recall], [at_precision], "o", color=VERMILLION)
        right.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        return finished(
            canvas,
            "held_out_labels",
            f"{len(s)} labels, each scored by a pruner that had not learned from it (area "
            f"{area:.3f}). The dot is even odds: precision {at_precision:.2f}, recall "
            f"{at_recall:.2f} where good and bad are as frequent as among the labels; this job's "
            "threshold is for the share of particles in its input.",
        )


def worth_of_merit(
    merit: ArrayLike, share: ArrayLike, rows: ArrayLike, total: int | None = None
) -> Figure:
    """Draw which share of the rows with a figure of merit are taken for particles.

    Parameters
    ----------
    merit, share, rows
        ``(m,)`` distinct figures of merit, rising; the share of particles at each; and how
        many rows have it.
    total
        Rows of the job, where some were not learned from: not read, or at an edge.
    """
    # Beyond any program's scale, and of what single precision holds.
    m = np.clip(np.asarray(merit, np.float64), -1e30, 1e30)
    p = np.asarray(share, np.float64)
    n = np.asarray(rows, np.int64)
    # A few picks far off must not squeeze the others into a corner.
    below = np.cumsum(n) / n.sum()
    low, high = (float(m[np.searchsorted(below, at)]) for at in (0.002, 0.998))
    if low == high:
        low, high = float(m[0]), float(m[-1])
    low, high = drawable(low, high)
    count = int(n.sum())
    learned = f"all {count:,} rows"
    if total is not None and total > count:
        learned = (
            f"{count:,} of {total:,} rows (the others were not read, have no figure of merit or "
            "are at an edge)"
        )
    with drawing(height_in=4.2) as canvas:
        upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        upper.step(m, p, where="mid", color=BLUE)
        upper.set(ylabel="share of particles", ylim=(-0.02, 1.02), xlim=(low, high))
        lower.hist(m, 60, range=(low, high), weights=n, color=GREY, rwidth=0.92)
        lower.grid(axis="x", visible=False)
        lower.set(xlabel="figure of merit of the input's picker", ylabel="rows")
        return finished(
            canvas,
            "worth_of_merit",
            f"Share of particles by the picker's figure of merit, learned from the scores of "
            f"{learned}. It counts for half of what it says; a flat line says nothing.",
        )


def curves(
    score: np.ndarray, good: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return true and false positive rates from (0, 0) to (1, 1), recall and precision.

    Equal scores are kept together or not at all.
    """
    order = np.argsort(-score, kind="stable")
    hit = np.cumsum(good[order])
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    true, false = hit[last], (last + 1) - hit[last]
    rate = np.concatenate([[0.0], true / max(1, good.sum())])
    wrong = np.concatenate([[0.0], false / max(1, (~good).sum())])
    return rate, wrong, true / max(1, good.sum()), true / (last + 1)


def _area(y: np.ndarray, x: np.ndarray) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())
