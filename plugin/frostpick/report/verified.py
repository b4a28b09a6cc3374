"""What verifying gives: a score and its spread over four rotations for every row."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from frostpick.report.figure import (
    BLUE,
    GREY,
    VERMILLION,
    WIDTH_IN,
    Figure,
    drawable,
    drawing,
    finished,
    say_empty,
)
from frostpick.types import sigmoid

#: Bins of the probability.
_BINS = 20


def verified_rows(score: ArrayLike, spread: ArrayLike) -> Figure:
    """Draw the probabilities of all rows, and the spread of their scores over four rotations.

    Parameters
    ----------
    score, spread
        ``(n,)`` mean and standard deviation of the score (log-odds) over four rotations; NaN
        for a row that was not read.
    """
    s, d = (np.asarray(v, np.float64).ravel() for v in (score, spread))
    read = np.isfinite(s) & np.isfinite(d)
    rows, s, d = len(s), s[read], d[read]
    p = sigmoid(s)
    with drawing(WIDTH_IN, 6.4) as canvas:
        upper, lower = canvas.subplots(2, 1)
        if not len(s):
            for axes in (upper, lower):
                say_empty(axes, "no row has a score")
            return finished(canvas, "verified", f"None of {rows:,} rows has a score.")
        for chosen, colour, label in (
            (p < 0.5, GREY, f"{(p < 0.5).sum():,} below one half"),
            (p >= 0.5, BLUE, f"{(p >= 0.5).sum():,} at or above"),
        ):
            edges = np.linspace(0, 1, _BINS + 1)
            upper.hist(p[chosen], edges.tolist(), color=colour, rwidth=0.92, label=label)
        upper.set(xlabel="probability for even odds, mean of four rotations", ylabel="rows")
        upper.set_xlim(0, 1)
        upper.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
        upper.grid(axis="x", visible=False)
        upper.legend(loc="best")
        low, high = drawable(float(np.percentile(s, 0.2)), float(np.percentile(s, 99.8)))
        alpha = float(np.clip(60 / np.sqrt(len(s)), 0.15, 0.9))
        lower.plot(s, d, ".", color=BLUE, ms=4, mew=0, alpha=alpha)
        at, middle = _running_median(s, d)
        lower.plot(at, middle, color=VERMILLION, label="median")
        top = 1.05 * max(float(np.percentile(d, 99.5)), 1e-6)
        lower.set(xlabel="score (log-odds)", ylabel="spread of the score", xlim=(low, high))
        lower.set_ylim(0, top)
        lower.legend(loc="best")
        unread = f" {rows - len(s):,} were not read." if rows > len(s) else ""
        return finished(
            canvas,
            "verified",
            f"{len(s):,} rows, none dropped: {(p >= 0.5).sum():,} have a probability of one half "
            f"or more; median spread {np.median(d):.2f}. A row whose score changes when the image "
            f"is turned (a large spread) is less sure than its score says.{unread}",
        )


def _running_median(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the medians of some dozen groups of equal count, by ``x``."""
    order = np.argsort(x, kind="stable")
    parts = np.array_split(order, int(np.clip(len(x) // 20, 1, 15)))
    return (
        np.array([np.median(x[part]) for part in parts]),
        np.array([np.median(y[part]) for part in parts]),
    )
