"""Circles on a small picture of a micrograph: the parts that all such pictures share."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from frostpick.report.figure import INK, WIDTH_IN, printable

Floats = NDArray[np.float64]

TITLE_IN, FOOT_IN = 0.36, 0.62
_MAX_IMAGE_IN = 8.0
ORIENTATION = "Row 0 of the file is at the top: y grows downwards."


def line_width(size: float, columns: int) -> float:
    """Return the width of a circle's line in points, for its size in the preview's pixels."""
    return float(np.clip(0.06 * size * 72 * WIDTH_IN / columns, 0.8, 1.8))


def legend(canvas: Canvas, groups: list[tuple[str, str, str]]) -> None:
    """Write ``(label, colour, dash)`` of kinds of circles below the image."""
    rim = [Stroke(linewidth=4.4, foreground=INK), Normal()]
    handles = [
        Line2D([], [], color=colour, ls=dash, lw=2.8, label=label, path_effects=rim)
        for label, colour, dash in groups
    ]
    canvas.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(0.0, 0.5 * FOOT_IN / canvas.get_figheight()),
        ncols=len(handles),
        fontsize=10,
        handlelength=1.5,
        handletextpad=0.5,
        columnspacing=1.2,
    )


def sheet(shape: tuple[int, ...]) -> tuple[float, float]:
    """Return width and height of the figure in inches: the image as wide as may be."""
    image_in = min(WIDTH_IN * shape[0] / shape[1], _MAX_IMAGE_IN)
    return WIDTH_IN, image_in + TITLE_IN + FOOT_IN


def image_axes(canvas: Canvas, image: NDArray[np.uint8], title: str) -> Axes:
    """Draw the preview, ``(h, w)`` uint8, under its title; leave room for a legend below it."""
    height_in = canvas.get_figheight()
    share = (height_in - TITLE_IN - FOOT_IN) / height_in
    axes = canvas.add_axes((0, FOOT_IN / height_in, 1, share))
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_axis_off()
    middle = 1 - 0.5 * TITLE_IN / height_in
    canvas.text(0.012, middle, printable(title), weight="bold", va="center_baseline")
    return axes


def rings(
    axes: Axes,
    xy: Floats,
    size: float,
    colour: str | Floats,
    line: float,
    alpha: float = 1.0,
    dash: str = "-",
) -> None:
    """Draw circles; the bright ones get a dark rim that keeps them visible on any ground."""
    if len(xy) == 0:
        return
    width = np.full(len(xy), size)
    layers = [(colour, line, alpha)]
    if alpha == 1.0:
        layers.insert(0, ("#000000", line + 1.2, 0.45))
    for ink, thick, opacity in layers:
        axes.add_collection(
            EllipseCollection(
                width,
                width,
                np.zeros(len(xy)),
                units="xy",
                offsets=xy,
                offset_transform=axes.transData,
                facecolors="none",
                edgecolors=ink,
                linewidths=thick,
                linestyles=dash,
                alpha=opacity,
            ),
            autolim=False,
        )


def scale_bar(canvas: Canvas, image_axes: Axes, preview_pixel_A: float, at_right: bool) -> None:
    """Draw a bar of a round length below the image, where it hides no pick."""
    box = image_axes.get_position()  # of the image itself once its aspect is applied
    image = image_axes.get_images()[0].get_array()
    assert image is not None
    rows, columns = image.shape
    height_in = canvas.get_figheight()
    shown_in = min(box.width * WIDTH_IN, box.height * height_in * columns / rows)
    length_A = round_length(columns * preview_pixel_A / 6)
    share = length_A / (columns * preview_pixel_A) * shown_in / WIDTH_IN
    left = 0.985 - share if at_right else 0.55 - share
    y = 0.2 / height_in
    bar = Line2D([left, left + share], [y, y], color=INK, lw=3, solid_capstyle="butt")
    bar.set_transform(canvas.transFigure)
    canvas.add_artist(bar)
    canvas.text(left + share / 2, 0.28 / height_in, f"{length_A:g} Å", ha="center", fontsize=10)


def round_length(length: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... (or its fractions) not above ``length``."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= length * (1 + 1e-9))
