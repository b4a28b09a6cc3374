"""What the scores of a job's picks promise: histogram, expected precision and recall."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from frostpick.report.figure import (
    BLUE,
    GREY,
    INK,
    VERMILLION,
    Figure,
    drawing,
    finished,
    finite,
    say_empty,
)
from frostpick.report.page import Table
from frostpick.types import sigmoid

Floats = NDArray[np.float64]

_PROBABILITIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_TICKS = (0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_CURVE_POINTS = 2000


def score_histogram(scores: ArrayLike, threshold: float) -> Figure:
    """Draw how many picks have which score, on both sides of the threshold.

    Parameters
    ----------
    scores
        ``(n,)`` calibrated log-odds of all picks above the floor, any order.
    threshold
        The job's, in score units; not drawn when it is not finite.
    """
    values = finite(scores)
    selected = int((values >= threshold).sum())
    edges = histogram_edges(values)
    with drawing() as canvas:
        axes = canvas.add_subplot()
        for chosen, colour, label in (
            (values < threshold, GREY, f"{len(values) - selected:,} below the threshold"),
            (values >= threshold, BLUE, f"{selected:,} selected"),
        ):
            axes.hist(values[chosen], edges.tolist(), color=colour, label=label, rwidth=0.92)
        axes.grid(axis="x", visible=False)
        axes.set(xlabel="score = figure of merit (log-odds)", ylabel="picks")
        axes.margins(y=0.22)
        axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
        _mark_threshold(axes, threshold)
        _probability_axis(axes)
        if len(values):
            axes.legend(loc="upper center", ncols=2, columnspacing=1.2, handlelength=1.2)
        else:
            say_empty(axes, "no picks")
        canvas.tight_layout(pad=0.6)
        return finished(
            canvas,
            "score_histogram",
            f"Scores of {len(values):,} picks above the floor. {selected:,} at or above the"
            f" threshold {threshold:.3g} are selected. A clear valley at the threshold means that"
            " particles and background are well told apart.",
        )


def expected_precision_recall(scores: ArrayLike, threshold: float) -> Figure:
    """Draw expected precision and recall against the threshold.

    Parameters
    ----------
    scores
        ``(n,)`` calibrated log-odds of all picks above the floor, any order.
    threshold
        The job's, in score units; not drawn when it is not finite.
    """
    ranked, precision, recall = expected_curve(scores)
    with drawing() as canvas:
        axes = canvas.add_subplot()
        if len(ranked):
            at = np.unique(np.linspace(0, len(ranked) - 1, _CURVE_POINTS).astype(int))
            mark = "o" if len(at) == 1 else ""
            axes.plot(ranked[at], precision[at], color=BLUE, marker=mark, label="precision")
            axes.plot(
                ranked[at], recall[at], color=VERMILLION, ls="--", marker=mark, label="recall"
            )
            axes.legend(loc="lower center", ncols=2)
        else:
            say_empty(axes, "no picks")
        axes.set(
            xlabel="threshold = minimum figure of merit (log-odds)",
            ylabel="expected",
            ylim=(0, 1.12),
        )
        axes.set_yticks(np.linspace(0, 1, 6))
        _mark_threshold(axes, threshold)
        _probability_axis(axes)
        canvas.tight_layout(pad=0.6)
        return finished(
            canvas,
            "expected_precision_recall",
            "Expected precision (share of the selected picks that are particles) and recall (share"
            " of the particles above the floor that are selected) for each threshold, from the"
            f" probabilities of the picks. {_at(ranked, precision, recall, threshold)}",
        )


def expected_curve(scores: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return thresholds (falling scores) with the expected precision and recall at each.

    With ``p`` the probabilities in falling order, precision after ``k`` picks is
    ``sum(p[:k]) / k`` and recall ``sum(p[:k]) / sum(p)``; picks of equal score come together.
    """
    ranked = np.sort(finite(scores))[::-1]
    if len(ranked) == 0:
        return ranked, ranked, ranked
    particles = np.cumsum(sigmoid(ranked))
    last = np.append(ranked[1:] != ranked[:-1], True)
    count = np.arange(1, len(ranked) + 1)
    return ranked[last], (particles / count)[last], (particles / particles[-1])[last]


def expected_table(scores: ArrayLike, threshold: float) -> Table:
    """Return the table of what each minimum figure of merit would keep.

    Parameters
    ----------
    scores
        ``(n,)`` calibrated log-odds of all picks above the floor.
    threshold
        The job's; it gets a row of its own, which is the marked one.
    """
    ranked, precision, recall = expected_curve(scores)
    values = np.sort(finite(scores))
    levels = {float(np.log(p / (1 - p))) for p in _PROBABILITIES}
    if np.isfinite(threshold):
        levels.add(float(threshold))
    rows: list[tuple[str, ...]] = []
    marked = None
    for level in sorted(levels):
        kept = len(values) - int(np.searchsorted(values, level, side="left"))
        k = int((ranked >= level).sum())
        shares = (f"{precision[k - 1]:.1%}", f"{recall[k - 1]:.1%}") if k else ("–", "–")
        if level == threshold:
            marked = len(rows)
        rows.append((f"{level:.2f}", f"{float(sigmoid(level)):.3f}", f"{kept:,}", *shares))
    return Table(
        (
            "minimum figure of merit",
            "probability there",
            "picks",
            "expected precision",
            "expected recall",
        ),
        tuple(rows),
        "The minimum figure of merit to type elsewhere (RELION's extraction, frostpick select)"
        " and what it keeps. The marked row is this job's threshold.",
        marked,
    )


def histogram_edges(values: Floats) -> Floats:
    """Return the edges of 20 to 60 equal bins that hold all values, of width > 0."""
    if len(values) == 0:
        return np.linspace(-5.0, 5.0, 21)
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 * max(1.0, abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, int(np.clip(np.sqrt(len(values)), 20, 60)) + 1)


def _at(ranked: Floats, precision: Floats, recall: Floats, threshold: float) -> str:
    k = int((ranked >= threshold).sum())
    if k == 0:
        return "No pick reaches this job's threshold."
    return (
        f"At this job's threshold {threshold:.3g}: expected precision {precision[k - 1]:.1%},"
        f" expected recall {recall[k - 1]:.1%}."
    )


def _mark_threshold(axes: Axes, threshold: float) -> None:
    if not np.isfinite(threshold):
        return
    axes.axvline(threshold, color=INK, lw=1.4, ls=":")
    left, right = axes.get_xlim()
    near_end = threshold > left + 0.8 * (right - left)
    axes.annotate(
        f"threshold {threshold:.2f}",
        (threshold, 0.86),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if near_end else 5, 0),
        textcoords="offset points",
        ha="right" if near_end else "left",
        fontsize=10,
    )


def _probability_axis(axes: Axes) -> None:
    """Label the upper edge with the probability that a score stands for."""
    low, high = axes.get_xlim()
    upper = axes.twiny()
    upper.grid(False)
    upper.set_xlim(low, high)
    places = [(float(np.log(p / (1 - p))), f"{p:g}") for p in _TICKS]
    inside = [(s, label) for s, label in places if low <= s <= high]
    upper.set_xticks([s for s, _ in inside], [label for _, label in inside])
    upper.tick_params(length=3, labelsize=10)
    upper.set_xlabel("probability", fontsize=10)
    upper.spines["top"].set_visible(True)
