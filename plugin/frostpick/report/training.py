"""How a training went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from frostpick.report.figure import (
    GREY,
    INK,
    SERIES,
    WIDTH_IN,
    Figure,
    drawing,
    finished,
    say_empty,
)

_X_KEYS = ("step", "epoch")
#: What figures are called; others by their keys.
_NAMES = {
    "held_out_recall": "held-out labels found",
    "held_out_ap": "AP against the labels given",
}
_RECALL = " Found: among as many picks as particles are expected."
_INCOMPLETE = (
    " AP takes particles that nobody labelled for false picks: its change matters, not its height."
)
_RATE_KEYS = ("learning_rate", "lr")


def training_curves(
    rows: Sequence[Mapping[str, Any]], *, chosen_step: float | None = None
) -> Figure:
    """Draw loss, held-out metrics and learning rate against the training step.

    Parameters
    ----------
    rows
        One a record: ``step`` (or ``epoch``, else the row's number), keys that
        contain ``loss``, keys that begin with ``held_out``, ``learning_rate``.
        Other keys and values that are no finite number are passed over.
    chosen_step
        The step whose network was kept, where it is not marked by a true
        ``chosen`` in its row.
    """
    x_key = next((k for k in _X_KEYS if any(k in row for row in rows)), "")
    x = np.array([_number(row.get(x_key, i)) for i, row in enumerate(rows)])
    if chosen_step is None:
        chosen_step = next(
            (
                float(s)
                for s, row in zip(x, rows, strict=True)
                if row.get("chosen") is True or row.get("chosen") == 1
            ),
            None,
        )
    keys = list(dict.fromkeys(key for row in rows for key in row))
    panels = [
        ("loss", [k for k in keys if "loss" in k and not k.startswith("held_out")]),
        ("held-out", sorted((k for k in keys if k.startswith("held_out")), key=_first_recall)),
        ("learning rate", [k for k in keys if k in _RATE_KEYS]),
    ]
    drawn = [(label, names) for label, names in panels if names] or [("loss", [])]
    with drawing(WIDTH_IN, 1.0 + 1.75 * len(drawn)) as canvas:
        grid = canvas.subplots(len(drawn), 1, sharex=True, squeeze=False)
        for axes, (label, names) in zip(grid[:, 0], drawn, strict=True):
            _panel(axes, label, names, rows, x)
            if chosen_step is not None and math.isfinite(chosen_step):
                axes.axvline(chosen_step, color=INK, lw=1.4, ls=":")
        last: Axes = grid[-1, 0]
        last.set_xlabel({"step": "training step", "epoch": "epoch"}.get(x_key, "record"))
        if not rows:
            say_empty(last, "no training record")
        chosen = (
            ""
            if chosen_step is None
            else f" The dotted line is the kept {x_key or 'record'}, {chosen_step:g}."
        )
        return finished(
            canvas,
            "training_curves",
            "Training: "
            + ", ".join(_words(n) for _, names in drawn for n in names)
            + f".{chosen}{_RECALL if 'held_out_recall' in keys else ''}"
            + (_INCOMPLETE if "held_out_ap" in keys else "")
            if rows
            else "Training: nothing was recorded.",
        )


def _panel(
    axes: Axes,
    label: str,
    names: list[str],
    rows: Sequence[Mapping[str, Any]],
    x: np.ndarray[Any, Any],
) -> None:
    values = {n: np.array([_number(row.get(n)) for row in rows]) for n in names}
    for i, (name, y) in enumerate(values.items()):
        ok = np.isfinite(x) & np.isfinite(y)
        mark = "o" if ok.sum() < 30 else ""
        # not the figure to judge a model by where labels are incomplete
        aside = name == "held_out_ap" and len(values) > 1
        axes.plot(
            x[ok],
            y[ok],
            color=GREY if aside else SERIES[i % len(SERIES)],
            ls="--" if aside else "-",
            marker=mark,
            ms=4,
            label=_words(name),
        )
    axes.set_ylabel(label)
    if label == "held-out" and set(names) <= set(_NAMES):
        axes.set_ylim(0, 1.04)
    everything = (
        np.concatenate([y[np.isfinite(y)] for y in values.values()]) if values else np.zeros(0)
    )
    if label == "learning rate" and len(everything) and everything.min() > 0:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.2g}"))
    if len(names) > 1:
        axes.legend(loc="best", ncols=min(3, len(names)), handlelength=1.4)
    elif names and label == "held-out":
        axes.set_ylabel(_words(names[0]))


def _first_recall(key: str) -> bool:
    return key != "held_out_recall"


def _words(key: str) -> str:
    if key in _NAMES:
        return _NAMES[key]
    text = key.replace("held_out", "held-out").replace("_", " ")
    return " ".join(w.upper() if w in ("ap", "f1", "pu") else w for w in text.split())


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return math.nan
    return float(value)
