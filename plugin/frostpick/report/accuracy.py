"""How picks compare with the truth, where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from frostpick.evaluation.calibration_error import calibration_error
from frostpick.report.figure import (
    BLUE,
    GREY,
    SERIES,
    Figure,
    drawing,
    finished,
    printable,
    say_empty,
)

_DASHES = ("-", "--", "-.", ":")


def precision_recall_compared(curves: Mapping[str, Sequence[ArrayLike]]) -> Figure:
    """Draw the precision-recall curves of several pickers into one plot.

    Parameters
    ----------
    curves
        ``{label: (recall, precision)}`` or ``{label: (recall, precision, ap)}``,
        the arrays of equal length; the average precision goes into the legend.
    """
    told = []
    with drawing(5.6, 4.9) as canvas:
        axes = canvas.add_subplot()
        for i, (label, curve) in enumerate(curves.items()):
            recall, precision = (np.asarray(c, np.float64).ravel() for c in curve[:2])
            ok = np.isfinite(recall) & np.isfinite(precision)
            name = printable(label, 34)
            if len(curve) > 2:
                name += f" (AP {float(np.asarray(curve[2])):.3f})"
            told.append(name)
            axes.plot(
                recall[ok],
                precision[ok],
                color=SERIES[i % len(SERIES)],
                ls=_DASHES[i % len(_DASHES)],
                lw=2.4,
                marker="o" if ok.sum() == 1 else "",
                label=name,
            )
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.03))
        if curves:
            axes.legend(loc="lower left")
        else:
            say_empty(axes, "no curves")
        return finished(
            canvas,
            "precision_recall",
            "Precision against recall on micrographs whose true particles are known: "
            + "; ".join(told)
            + ". Up and to the right is better; AP, average precision, is the area under a curve.",
        )


def calibration_plot(probability: ArrayLike, is_true: ArrayLike, bins: int = 10) -> Figure:
    """Draw the reliability diagram: observed share of particles against the probability told.

    Bars of one standard error are Wilson's interval (E. B. Wilson, J. Am. Stat.
    Assoc. 22, 209, 1927), which stays inside 0 to 1.

    Parameters
    ----------
    probability
        ``(n,)`` probabilities told for picks.
    is_true
        ``(n,)`` bool, the pick is a particle.
    bins
        Number of equal bins of probability.
    """
    p = np.asarray(probability, np.float64).ravel()
    hit = np.asarray(is_true, np.float64).ravel()
    ok = np.isfinite(p)
    p, hit = p[ok], hit[ok]
    count, told, seen = reliability(p, hit, bins)
    filled = count > 0
    with drawing(5.6, 5.4) as canvas:
        upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.plot([0, 1], [0, 1], color=GREY, lw=1.4, ls="--")
        if filled.any():
            n, share = count[filled], seen[filled]
            centre = (share + 0.5 / n) / (1 + 1 / n)
            half = np.sqrt(share * (1 - share) / n + 0.25 / n**2) / (1 + 1 / n)
            upper.vlines(told[filled], centre - half, centre + half, color=BLUE, lw=1.6)
            upper.plot(told[filled], share, "o-", color=BLUE, ms=6)
        else:
            say_empty(upper, "no picks")
        upper.set(ylabel="share that are particles", xlim=(0, 1), ylim=(-0.02, 1.02))
        lower.bar((np.arange(bins) + 0.5) / bins, count, width=0.9 / bins, color=GREY)
        lower.set(xlabel="probability told", ylabel="picks")
        lower.grid(axis="x", visible=False)
        error = f"{calibration_error(p, hit, bins):.3f}" if len(p) else "unknown"
        return finished(
            canvas,
            "calibration",
            f"Calibration over {int(count.sum()):,} picks: the share that are particles"
            " against the probability told; on the dashed line the two agree. Expected calibration"
            f" error {error}.",
        )


def reliability(
    probability: ArrayLike, is_true: ArrayLike, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return count, mean probability and share of true picks of each bin (NaN where empty)."""
    p, hit = np.asarray(probability, np.float64), np.asarray(is_true, np.float64)
    which = np.clip((p * bins).astype(int), 0, bins - 1)
    count = np.bincount(which, minlength=bins).astype(np.float64)
    full = np.where(count > 0, count, np.nan)
    return (
        count,
        np.bincount(which, p, minlength=bins) / full,
        np.bincount(which, hit, minlength=bins) / full,
    )
