"""Pictures of a few-shot training: the course, similarity, embeddings, the density cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from frostpick.errors import Wording, option
from frostpick.models.cryomae.exemplar import SHY
from frostpick.picking.selectors.density_cut import DensityCut
from frostpick.report.figure import (
    BLUE,
    GREEN,
    GREY,
    INK,
    VERMILLION,
    WIDTH_IN,
    Figure,
    drawing,
    finished,
    printable,
    say_empty,
)
from frostpick.training.cryomae.view import FewshotView

#: Columns of the curve and how they are drawn.
_PANELS = (
    (
        "error of rebuilding",
        (("reconstruction", "training"), ("held_out_reconstruction", "kept aside")),
    ),
    ("similarity loss", (("similarity", "training"),)),
    ("cosine margin", (("margin", "leave one exemplar out"),)),
)


def fewshot_figures(
    curve: Sequence[Mapping[str, float]], view: FewshotView, title: str
) -> list[Figure]:
    """Return all pictures, in the order of the report; ``title`` names the view's micrograph."""
    return [
        fewshot_curves(curve),
        similarity_map(view.cosine, view.exemplars, title),
        embeddings(view.exemplar_xy, view.unlabelled_xy, view.picked_xy),
        density_curve(view.density, title),
    ]


def fewshot_curves(curve: Sequence[Mapping[str, float]]) -> Figure:
    """Draw the losses, and what the stop rule looks at, against the step."""
    with drawing(WIDTH_IN, 5.6) as canvas:
        panels = canvas.subplots(len(_PANELS), 1, sharex=True)
        for axes, (label, lines) in zip(panels, _PANELS, strict=True):
            for (name, text), colour in zip(lines, (BLUE, VERMILLION), strict=False):
                at = [row["step"] for row in curve if name in row]
                axes.plot(
                    at,
                    [row[name] for row in curve if name in row],
                    "o-",
                    color=colour,
                    label=text,
                    markersize=4,
                )
            axes.set_ylabel(label)
            if curve:
                axes.legend(loc="best")
            else:
                say_empty(axes, "no measurement yet")
        panels[-1].set_xlabel("training step")
        return finished(
            canvas,
            "fewshot_training",
            "Course of the few-shot training. The margin is the mean cosine of an exemplar to the "
            "most similar other one, less the cosine that 2 % of unlabelled windows exceed; the "
            "training ends when neither it nor the error of rebuilding improves.",
        )


def similarity_map(
    cosine: NDArray[np.float32], exemplars: NDArray[np.float64], title: str
) -> Figure:
    """Draw the largest cosine to an exemplar at every place of a micrograph.

    Parameters
    ----------
    cosine
        ``(h, w)``.
    exemplars
        ``(n, 2)`` rows and columns of the map.
    """
    height = min(8.0, WIDTH_IN * cosine.shape[0] / cosine.shape[1] + 0.8)
    with drawing(WIDTH_IN, height) as canvas:
        axes = canvas.subplots()
        shown = axes.imshow(cosine, cmap="cividis", vmin=-1, vmax=1, interpolation="nearest")
        axes.plot(exemplars[:, 1], exemplars[:, 0], "o", mfc="none", mec=VERMILLION, markersize=9)
        axes.set_title(printable(title))
        axes.set_axis_off()
        canvas.colorbar(shown, ax=axes, label="cosine to the nearest exemplar", shrink=0.8)
        return finished(
            canvas,
            "similarity_map",
            "Similarity of every place of a micrograph to the most similar exemplar; circles are "
            "the exemplars. Row 0 of the file is at the top.",
            noisy=True,
        )


def embeddings(
    exemplars: NDArray[np.float64], unlabelled: NDArray[np.float64], picked: NDArray[np.float64]
) -> Figure:
    """Draw descriptors of windows in two dimensions, ``(n, 2)`` each."""
    with drawing() as canvas:
        axes: Axes = canvas.subplots()
        for points, colour, marker, label in (
            (unlabelled, GREY, ".", "unlabelled"),
            (picked, BLUE, "+", "picked"),
            (exemplars, VERMILLION, "*", "exemplars"),
        ):
            axes.plot(points[:, 0], points[:, 1], marker, color=colour, label=label)
        axes.legend(loc="best")
        axes.set_xlabel("first axis")
        axes.set_ylabel("second axis")
        return finished(
            canvas,
            "embeddings",
            "Descriptors of windows along the two axes of largest variance. Unlabelled windows "
            "are drawn at random, so a few of them hold particles.",
        )


def density_curve(density: DensityCut, title: str) -> Figure:
    """Draw the distance of scores to their neighbours, and the cut."""
    with drawing() as canvas:
        axes: Axes = canvas.subplots()
        axes.plot(np.tanh(density.score) / SHY, density.distance, color=INK)
        axes.axvline(
            np.tanh(density.cut) / SHY, color=GREEN, linestyle="--", label=f"cut ({density.rule})"
        )
        axes.set_yscale("log")
        # the usual one writes mathematics, which drawings here do not read
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter())
        axes.set_title(printable(title))
        axes.set_xlabel("cosine to the nearest exemplar")
        axes.set_ylabel("distance to neighbours in score")
        axes.legend(loc="best")
        return finished(
            canvas,
            "density_cut",
            Wording(
                "Mean distance of a window's score to its nearest neighbours in score, and the cut "
                "that cryoMAE's rule makes on this micrograph. It selects picks only with "
                f"{option('picking_rule', 'density-cut')}."
            ),
        )
