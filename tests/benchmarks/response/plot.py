"""The response curves as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from frostpick.runtime.atomic import atomic_write
from response.table import TARGET, WANTED, Answer

#: A model has a colour; lone objects a full line, those among neighbours a broken one.
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")


def draw_curves(answers: Sequence[Answer], kinds: Sequence[str], path: Path) -> None:
    """Write a PNG of the median score against size, a panel a kind."""
    columns = 3
    rows = -(-len(kinds) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    models = list(dict.fromkeys(one.model for one in answers))
    for panel, kind in zip(panels, kinds, strict=False):
        panel.axhline(WANTED, color="0.4", linewidth=0.8)
        panel.axvspan(*TARGET, color="0.93")
        for one in answers:
            panel.plot(
                *one.curve(kind),
                "o--" if one.neighbours else "o-",
                color=COLOURS[models.index(one.model) % len(COLOURS)],
                markersize=3,
                label=f"{one.model}, {'with' if one.neighbours else 'without'} neighbours",
            )
        panel.set_title(kind)
    for panel in panels[len(kinds) :]:
        panel.set_axis_off()
    figure.supxlabel("outer size / stated diameter")
    figure.supylabel("median score (log-odds)")
    panels[0].legend(fontsize="x-small")
    with atomic_write(path) as handle:
        figure.savefig(handle, format="png", dpi=110)
