"""How an iterative training went, round by round, and whether the views drifted."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from frostpick.iterating.disaster import round_warnings
from frostpick.report.figure import (
    BLUE,
    GREEN,
    GREY,
    SERIES,
    VERMILLION,
    WIDTH_IN,
    Figure,
    drawing,
    finished,
    say_empty,
)

Row = Mapping[str, float]


def round_figures(table: Sequence[Row]) -> list[Figure]:
    """Draw the figures of all rounds.

    Parameters
    ----------
    table
        One row a round: ``round``, ``used`` (0 or 1), ``new_particles``, ``new_empty``,
        ``picks``, ``micrographs``, ``expected``, ``agreement``, ``spread``, ``view_change``,
        ``views_1`` and so on, and ``held_out_recall`` where labels were held out.
    """
    return [round_curves(table), round_views(table)]


def round_curves(table: Sequence[Row]) -> Figure:
    """Draw the held-out recall, the picks, the verification and the sure picks of each round.

    What went wrong (`frostpick.iterating.disaster`) stands above them.
    """
    x = np.array([row["round"] for row in table])
    used = np.array([row["used"] > 0 for row in table])
    wrong = round_warnings(table)
    lines = [line for one in wrong for line in textwrap.wrap(f"{one[0].upper()}{one[1:]}.", 66)]
    with drawing(WIDTH_IN, 7.4 + 0.24 * len(lines)) as canvas:
        if lines:
            told = "\n".join(lines)
            canvas.suptitle(told, x=0.02, ha="left", color=VERMILLION, weight="bold", fontsize=10.5)
        recall, picks, verified, taught = canvas.subplots(4, 1, sharex=True)
        _recall(recall, table, x, used)
        _picks(picks, table, x, used)
        for name, color in (("agreement", BLUE), ("spread", VERMILLION)):
            verified.plot(x, [row[name] for row in table], color=color, marker="o", label=name)
        verified.set_ylim(0, 1)
        verified.set_ylabel("four rotations")
        verified.legend(loc="center right")
        new = [[row[f"new_{kind}"] for row in table] for kind in ("particles", "empty")]
        taught.bar(x - 0.2, new[0], 0.4, color=GREEN, label="particles")
        taught.bar(x + 0.2, new[1], 0.4, color=GREY, label="empty places")
        taught.set_ylabel("sure picks")
        taught.set_xlabel("round")
        taught.xaxis.set_major_locator(MaxNLocator(integer=True))
        taught.legend(loc="best")
        dropped = [int(n) for n in x[~used]]
        told = f"Something went wrong: {wrong[0]}." if wrong else "Rounds of training."
        told += " All that went wrong stands above the plots." if len(wrong) > 1 else ""
        caption = (
            f"{told} A round that lowers the recall of held-out labels beyond chance is not used "
            f"({_listed(dropped)}). Sure picks taught the round."
        )
        return finished(canvas, "rounds", caption)


def _picks(axes: Axes, table: Sequence[Row], x: np.ndarray, used: np.ndarray) -> None:
    """Draw the selected picks a micrograph, and how many particles are expected on one."""
    one = all(row.get("micrographs", 0) > 0 for row in table)  # not in rounds of older versions
    y = np.array([row["picks"] / (row["micrographs"] if one else 1.0) for row in table])
    axes.plot(x, y, color=BLUE)
    axes.plot(x[used], y[used], color=BLUE, marker="o", ls="")
    axes.plot(x[~used], y[~used], color=VERMILLION, marker="x", ls="", ms=9)
    if one:
        expected = [row["expected"] for row in table]
        axes.plot(x, expected, color=GREY, ls="--", label="particles expected")
        axes.legend(loc="best")
    axes.set_ylabel("picks/micrograph" if one else "picks")
    axes.set_ylim(bottom=0)


def round_views(table: Sequence[Row]) -> Figure:
    """Draw the shares of the groups of views among the picks of each round."""
    groups = sum(key.startswith("views_") for key in table[0])
    x = np.array([row["round"] for row in table])
    with drawing(WIDTH_IN, 3.4) as canvas:
        axes = canvas.subplots()
        base = np.zeros(len(table))
        for k in range(groups):
            share = np.array([row[f"views_{k + 1}"] for row in table])
            axes.bar(x, share, 0.7, bottom=base, color=SERIES[k % len(SERIES)])
            base += share
        axes.set_ylabel("share of the picks")
        axes.set_xlabel("round")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        change = ", ".join(f"{row['view_change']:.3f}" for row in table[1:]) or "one round only"
        caption = (
            "Picks of each round grouped by how they look, whatever their rotation in the plane. "
            "Shares that shift towards one group mean that rare views are being forgotten. "
            f"Divergence from round 0 in bits (0 equal, 1 disjoint): {change}."
        )
        return finished(canvas, "views", caption)


def _recall(axes: Axes, table: Sequence[Row], x: np.ndarray, used: np.ndarray) -> None:
    axes.set_ylabel("held-out recall")
    if "held_out_recall" not in table[0]:
        say_empty(axes, "too few labels to hold any out")
        return
    y = np.array([row["held_out_recall"] for row in table])
    axes.plot(x, y, color=BLUE)
    axes.set_ylim(min(0.9, float(np.nanmin(y)) - 0.05), 1.02)
    axes.plot(x[used], y[used], color=BLUE, marker="o", ls="", label="used")
    if not used.all():
        axes.plot(x[~used], y[~used], color=VERMILLION, marker="x", ls="", ms=9, label="not used")
        axes.legend(loc="best")


def _listed(numbers: Sequence[int]) -> str:
    return "here " + ", ".join(map(str, numbers)) if numbers else "here none"
