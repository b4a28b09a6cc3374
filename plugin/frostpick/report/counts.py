"""How many picks each micrograph gave."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from frostpick.report.figure import (
    BLUE,
    INK,
    VERMILLION,
    WIDTH_IN,
    Figure,
    drawing,
    finished,
    say_empty,
)


def picks_per_micrograph(counts: ArrayLike, failed: ArrayLike | int = 0) -> Figure:
    """Draw the selected picks of each micrograph in the job's order, and their histogram.

    Parameters
    ----------
    counts
        ``(n,)`` selected picks of the micrographs that could be used, in order.
    failed
        How many micrographs could not be used, or their places in the job's order.
    """
    values = np.asarray(counts, np.float64).ravel()
    values = values[np.isfinite(values)]
    places = np.zeros(0) if np.isscalar(failed) else np.asarray(failed, np.float64).ravel()
    n_failed = int(np.asarray(failed)) if np.isscalar(failed) else len(places)
    order = np.setdiff1d(np.arange(len(values) + len(places)), places)[: len(values)]
    with drawing(WIDTH_IN, 3.6) as canvas:
        left, right = canvas.subplots(1, 2, sharey=True, width_ratios=(3, 1))
        left.plot(
            order + 1,
            values,
            "o",
            color=BLUE,
            ms=float(np.clip(90 / np.sqrt(max(len(values), 1)), 1.5, 6)),
            mew=0,
        )
        top = float(values.max()) if len(values) else 1.0
        left.set(
            xlabel="micrograph",
            ylabel="selected picks",
            ylim=(-0.04 * max(top, 1), 1.08 * max(top, 1)),
        )
        left.plot(
            places + 1, np.zeros(len(places)), "x", color=VERMILLION, ms=7, mew=2, clip_on=False
        )
        if len(values):
            middle = float(np.median(values))
            bins = np.linspace(0, max(top, 1), int(np.clip(np.sqrt(len(values)), 8, 40)) + 1)
            right.hist(values, bins, orientation="horizontal", color=BLUE, rwidth=0.92)
            for axes in (left, right):
                axes.axhline(middle, color=INK, lw=1.2, ls=":")
        else:
            middle = 0.0
            say_empty(left, "no micrographs")
        right.set(xlabel="micrographs")
        right.grid(axis="y", visible=False)
        for axis in (left.xaxis, left.yaxis, right.xaxis):
            cut = "upper" if axis is left.xaxis else None
            axis.set_major_locator(MaxNLocator(nbins="auto", integer=True, prune=cut))
        lost = (
            f" {n_failed} could not be used" + (" (red crosses)." if len(places) else ".")
            if n_failed
            else ""
        )
        return finished(
            canvas,
            "picks_per_micrograph",
            f"Selected picks on {len(values):,} micrographs in the order of the job:"
            f" {int(values.sum()):,} in all, median {middle:g} (dotted line).{lost}"
            " A sudden change along the order often means a change of grid square or ice.",
        )
