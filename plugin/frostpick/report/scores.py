"""What the scores of a job's picks promise: histogram, expected precision and recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from frostpick.picking.against_noise import AgainstNoise
from frostpick.picking.calibration import FLOOR_PROBABILITY
from frostpick.picking.held_out import VISIBLE, HeldOutLabels
from frostpick.picking.noise import q_values
from frostpick.picking.null import NoiseSample
from frostpick.picking.threshold import Cut, ThresholdRow
from frostpick.picking.threshold import expected_table as threshold_rows
from frostpick.report.figure import (
    BLUE,
    GREY,
    INK,
    VERMILLION,
    Figure,
    drawable,
    drawing,
    finished,
    finite,
    say_empty,
)
from frostpick.report.page import Table
from frostpick.types import sigmoid

Floats = NDArray[np.float64]

#: Rows of the table, from what is kept at all.
_PROBABILITIES = (
    *(FLOOR_PROBABILITY, 0.01, 0.05),
    *(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),
)
_TICKS = (FLOOR_PROBABILITY, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_MARKED = " The marked row is this job's."
_CURVE_POINTS = 200
_AT_MOST = (
    " Grey: the most that precision can be, by the noise that inverted contrast tells; junk is not"
    " counted."
)
_MEANT = " A view that the model misses costs recall nothing."
_SCORE = "figure of merit (log-odds)"


def score_histogram(scores: ArrayLike, threshold: float, selected: int | None = None) -> Figure:
    """Draw how many picks have which score, on both sides of the threshold.

    Parameters
    ----------
    scores
        ``(n,)`` calibrated log-odds of all picks above the floor, any order.
    threshold
        The job's, in score units; not drawn when it is not finite.
    selected
        How many are selected, where micrographs may have thresholds of their own.
    """
    values = finite(scores)
    good = Cut(threshold).selects(values)
    above = int(good.sum())
    mixed = selected is not None and selected != above
    with drawing() as canvas:
        below = (~good, f"{len(values) - above:,} below the threshold")
        chosen = (good, f"{above:,} {'at or above it' if mixed else 'selected'}")
        axes = _histogram(canvas, values, threshold, below, chosen, "picks")
        if len(values):
            _legend_below(canvas)
        else:
            say_empty(axes, "no picks")
        told = (
            f"{above:,} are at or above the threshold {threshold:.3g}; {selected:,} are selected,"
            " for some micrographs have a threshold of their own."
            if mixed
            else f"{above:,} at or above the threshold {threshold:.3g} are selected."
        )
        return finished(
            canvas,
            "score_histogram",
            f"Scores of {len(values):,} picks above the floor, below which none is kept. {told}"
            " A clear valley at the threshold means that particles and background are well told"
            " apart.",
        )


def kept_histogram(scores: ArrayLike, threshold: float, kept: NDArray[np.bool_]) -> Figure:
    """Draw how many rows have which score, and which of them a pruning kept.

    The legend counts every row of the job, those without a score too, as the bars of
    `frostpick.report.pruning.decisions_by_reason` do.

    Parameters
    ----------
    scores
        ``(n,)`` calibrated log-odds of the rows of a pruning job, NaN where not read.
    threshold
        The job's, in score units.
    kept
        ``(n,)`` bool: more than the threshold decides.
    """
    everything = np.asarray(scores, np.float64).ravel()
    read = np.isfinite(everything)
    values, above = everything[read], np.asarray(kept, np.bool_)[read]
    count, unread = int(above.sum()), int((~read).sum())
    with drawing() as canvas:
        rejected = (~above, f"{len(values) - count:,} rejected")
        axes = _histogram(
            canvas, values, threshold, rejected, (above, f"{count:,} kept"), "rows", unread
        )
        if len(everything):
            _legend_below(canvas)
        else:
            say_empty(axes, "no rows")
        return finished(
            canvas,
            "score_histogram",
            f"{_told_of_rows(len(everything), values, above, threshold)} A clear valley at the"
            " threshold means that particles and background are well told apart.",
        )


def _histogram(
    canvas: Canvas,
    values: Floats,
    threshold: float,
    others: tuple[NDArray[np.bool_], str],
    chosen: tuple[NDArray[np.bool_], str],
    what: str,
    unread: int = 0,
) -> Axes:
    """Draw a histogram of scores ``(n,)`` in two colours, the threshold and the probabilities.

    Parameters
    ----------
    others, chosen
        ``(n,)`` bool and label of either kind; ``chosen`` has the strong colour.
    what
        Word for what is counted.
    unread
        How many have no score; the legend counts them.
    """
    axes, edges = canvas.add_subplot(), histogram_edges(values, threshold)
    for (kind, label), colour in ((others, GREY), (chosen, BLUE)):
        axes.hist(values[kind], edges.tolist(), color=colour, label=label, rwidth=0.92)
    if unread:
        axes.plot([], [], "x", color=VERMILLION, label=f"{unread:,} not read, no score")
    axes.grid(axis="x", visible=False)
    axes.set(xlabel=f"score = {_SCORE}", ylabel=what)
    axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    _mark_threshold(axes, threshold)
    _probability_axis(axes)
    return axes


def _told_of_rows(rows: int, values: Floats, kept: NDArray[np.bool_], threshold: float) -> str:
    count, unread = int(kept.sum()), rows - len(values)
    told = f"All {rows:,} rows: {count:,} kept, {len(values) - count:,} rejected"
    if unread:
        told += f", {unread:,} not read and without a score"
    told += f"; the threshold is {threshold:.3g}."
    other = int((Cut(threshold).selects(values) & ~kept).sum())
    if other:
        rejected = "is rejected as a duplicate" if other == 1 else "are rejected as duplicates"
        told += f" {other:,} at or above it {rejected} or at an edge."
    return told


def expected_precision_recall(
    scores: ArrayLike,
    threshold: float,
    noise: Sequence[NoiseSample] = (),
    held_out: HeldOutLabels | None = None,
    against: AgainstNoise | None = None,
) -> Figure:
    """Draw expected precision and recall against the threshold.

    Parameters
    ----------
    scores
        ``(n,)`` calibrated log-odds of all picks above the floor, any order.
    threshold
        The job's, in score units; NaN where each micrograph has its own.
    noise
        What some micrographs with inverted contrast tell: how high precision can be at most.
    held_out
        Labels that the training held out: recall is by them where there are any.
    against
        What scores are worth in the job.
    """
    values = finite(scores)
    named = VISIBLE if held_out is None else held_out.title
    with drawing() as canvas:
        axes = canvas.add_subplot()
        if len(values):
            levels = np.unique(np.linspace(values.min(), values.max(), _CURVE_POINTS))
            rows = threshold_rows(values, levels.tolist(), against)
            mark = "o" if len(rows) == 1 else ""
            axes.plot(levels, [row.precision for row in rows], BLUE, marker=mark, label="precision")
            heights = [row.recall for row in rows]
            if held_out is not None:
                known = [held_out.recall(level) for level in levels.tolist()]
                heights = [one.share for one in known]
                ends = ([one.low for one in known], [one.high for one in known])
                axes.fill_between(levels, *ends, color=VERMILLION, alpha=0.15, lw=0)
            axes.plot(levels, heights, VERMILLION, ls="--", marker=mark, label=named)
            if noise:
                most = 1.0 - q_values(noise, levels)
                axes.plot(levels, most, color=GREY, ls="-.", marker=mark, label="at most, by noise")
        else:
            say_empty(axes, "no picks")
        axes.set(xlabel=f"threshold = minimum {_SCORE}", ylabel="expected", ylim=(0, 1.03))
        axes.set_yticks(np.linspace(0, 1, 6))
        _mark_threshold(axes, threshold)
        _probability_axis(axes)
        _legend_below(canvas)
        one = np.isfinite(threshold)
        here = threshold_rows(values, [threshold], against)[0] if one else None
        told = (
            f"At this job's threshold {threshold:.3g}: expected precision {here.precision:.1%},"
            f" {named} {_recall(here, held_out)}."
            if here is not None and here.count
            else "No pick reaches this job's threshold."
            if one
            else "Each micrograph has a threshold of its own."
        )
        return finished(
            canvas,
            "expected_precision_recall",
            f"Expected precision and recall. {told}{_MEANT * (held_out is None)}"
            f"{_AT_MOST * bool(noise)}",
        )


def _recall(row: ThresholdRow, held_out: HeldOutLabels | None) -> str:
    """Return the recall at a threshold, by held-out labels with its interval."""
    if held_out is None:
        return f"{row.recall:.1%}"
    known = held_out.recall(row.threshold)
    return f"{known.share:.1%} ({known.low:.1%} to {known.high:.1%})"


def expected_table(
    scores: ArrayLike,
    threshold: float,
    held_out: HeldOutLabels | None = None,
    against: AgainstNoise | None = None,
) -> Table:
    """Return the table of what each minimum figure of merit would keep.

    Parameters
    ----------
    scores
        ``(n,)`` calibrated log-odds of all picks above the floor.
    threshold
        The job's; it gets a row of its own, which is the marked one. NaN for none.
    held_out, against
        As in `expected_precision_recall`.
    """
    levels = {float(np.log(p / (1 - p))) for p in _PROBABILITIES}
    if np.isfinite(threshold):  # instead of a level that would read the same
        levels = {one for one in levels if f"{one:.3f}" != f"{threshold:.3f}"}
        levels.add(float(threshold))
    rows = threshold_rows(finite(scores), sorted(levels), against)
    marked = [row.threshold for row in rows].index(threshold) if threshold in levels else None
    named = VISIBLE if held_out is None else held_out.title
    return Table(
        ("minimum FOM", "probability", "picks", "precision", named),
        tuple(
            (
                f"{row.threshold:.3f}",
                f"{float(sigmoid(row.threshold)):.3f}",
                f"{row.count:,}",
                f"{row.precision:.1%}" if row.count else "–",
                _recall(row, held_out) if row.count or held_out else "–",
            )
            for row in rows
        ),
        "How many picks other thresholds select, with expected precision and recall."
        f"{'' if marked is None else _MARKED}"
        " To change it give frostpick select a number of the first column as"
        " the threshold. RELION's Extract takes a higher one as the minimum figure of merit (FOM).",
        marked,
    )


def histogram_edges(values: Floats, threshold: float) -> Floats:
    """Return edges of 20 to 60 equal bins that hold all values; the threshold is an edge.

    So no bin mixes selected picks with others, where the threshold lies among the values.
    """
    if len(values) == 0:
        return np.linspace(-5.0, 5.0, 21)
    low, high = drawable(float(values.min()), float(values.max()))
    bins = int(np.clip(np.sqrt(len(values)), 20, 60))
    edges = np.linspace(low, high, bins + 1)
    if low < threshold < high:
        step = (high - low) / bins
        below, above = np.ceil((threshold - low) / step), np.ceil((high - threshold) / step)
        edges = threshold + step * np.arange(-below, above + 1)
    return edges


def _mark_threshold(axes: Axes, threshold: float) -> None:
    if np.isfinite(threshold):
        axes.axvline(threshold, color=INK, lw=1.6, ls=":", label=f"threshold {threshold:.2f}")


def _legend_below(canvas: Canvas) -> None:
    """Put the legend under the plot, where it can never lie on what it explains."""
    if canvas.axes[0].get_legend_handles_labels()[1]:
        canvas.legend(loc="outside lower center", ncols=3, columnspacing=1.6, handlelength=1.6)


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
