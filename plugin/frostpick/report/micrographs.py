"""Picks drawn on a micrograph."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from frostpick.report.figure import (
    MICROGRAPH_PREFIX,
    SKY,
    VERMILLION,
    WIDTH_IN,
    YELLOW,
    Figure,
    drawing,
    finished,
    printable,
    slug,
)
from frostpick.types import sigmoid

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_DIM = "#F2F2F2"
_TITLE_IN, _LEGEND_IN, _MAX_IMAGE_IN = 0.36, 0.62, 8.0
ORIENTATION = "Row 0 of the MRC file is at the top, column 0 at the left."


def picks_on_micrograph(
    preview: NDArray[np.uint8],
    x_px: ArrayLike,
    y_px: ArrayLike,
    score: ArrayLike,
    selected: ArrayLike,
    scale: float,
    diameter_px: float,
    title: str,
    truth_xy: ArrayLike | None = None,
    *,
    truth_ignored: ArrayLike | None = None,
    pixel_size_A: float | None = None,
) -> Figure:
    """Draw the picks of one micrograph as circles of the particle's diameter.

    Without truth, selected picks are coloured by probability and the others, down
    to the floor, are thin and dim. With truth, colours say found, false and missed.

    Parameters
    ----------
    preview
        ``(h, w)`` uint8, the micrograph made small.
    x_px, y_px
        ``(n,)`` column and row in full-resolution pixels, 0-based pixel centres.
    score
        ``(n,)`` calibrated log-odds.
    selected
        ``(n,)`` bool, at or above the threshold.
    scale
        Preview pixels per full-resolution pixel.
    diameter_px
        Diameter of the particle in full-resolution pixels.
    title
        Name of the micrograph.
    truth_xy
        ``(m, 2)`` true column and row in full-resolution pixels.
    truth_ignored
        ``(m,)`` bool: true particles that count neither as found nor as missed.
    pixel_size_A
        Of the full-resolution micrograph, for the scale bar.
    """
    image = np.atleast_2d(np.asarray(preview))
    xy = np.stack([_flat(x_px), _flat(y_px)], axis=1)
    picked, probability = _flat(selected).astype(bool), sigmoid(_flat(score))
    shown = np.isfinite(xy).all(axis=1)
    xy, picked, probability = xy[shown], picked[shown], probability[shown]
    height, width = image.shape
    image_in = min(WIDTH_IN * height / width, _MAX_IMAGE_IN)
    width_in = max(image_in * width / height, 0.6 * WIDTH_IN)
    total_in = image_in + _TITLE_IN + _LEGEND_IN
    with drawing(width_in, total_in) as canvas:
        axes = canvas.add_axes((0, _LEGEND_IN / total_in, 1, image_in / total_in))
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        axes.set_axis_off()
        canvas.text(0.012, 1 - 0.24 / total_in, printable(title), weight="bold", va="center")
        line = float(np.clip(0.06 * diameter_px * scale * 72 * image_in / height, 0.8, 1.8))
        size = diameter_px * scale
        _rings(axes, xy[~picked] * scale, size, _DIM, 0.45 * line, alpha=0.55)
        if truth_xy is None:
            told = _by_probability(
                canvas, axes, xy[picked] * scale, probability[picked], size, line
            )
        else:
            truth = np.asarray(truth_xy, np.float64).reshape(-1, 2)
            ignored = np.zeros(len(truth), bool) if truth_ignored is None else _flat(truth_ignored)
            found = match(xy[picked], truth, diameter_px / 4)
            told = _by_truth(
                canvas, axes, xy[picked], truth, found, ignored.astype(bool), scale, size, line
            )
        if pixel_size_A is not None and pixel_size_A > 0:
            _scale_bar(axes, pixel_size_A / scale, (height, width))
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        below = int((~picked).sum())
        dim = f" {below} picks below the threshold are thin and pale." if below else ""
        caption = f"{title}: {told}{dim} Circles have the particle's diameter. {ORIENTATION}"
        return finished(canvas, MICROGRAPH_PREFIX + slug(title), caption)


def match(picks_xy: Floats, truth_xy: Floats, radius: float) -> NDArray[np.int64]:
    """Return for each pick, best first, the nearest free true particle within ``radius``, or -1."""
    found = np.full(len(picks_xy), -1, np.int64)
    if len(truth_xy) == 0:
        return found
    free = np.ones(len(truth_xy), bool)
    for i, xy in enumerate(picks_xy):
        distance = np.where(free, np.hypot(*(truth_xy - xy).T), np.inf)
        j = int(distance.argmin())
        if distance[j] <= radius:
            found[i], free[j] = j, False
    return found


def _by_probability(
    canvas: Canvas, axes: Axes, xy: Floats, probability: Floats, size: float, line: float
) -> str:
    low = math.floor(10 * float(probability.min())) / 10 if len(probability) else 0.5
    norm, colours = Normalize(min(low, 0.9), 1.0), _probability_colours()
    _rings(axes, xy, size, colours(norm(probability)), line)
    bottom = 0.36 * 1.0 / canvas.get_figheight()
    bar_axes = canvas.add_axes((0.55, bottom, 0.41, 0.11 / canvas.get_figheight()))
    bar = canvas.colorbar(ScalarMappable(norm, colours), cax=bar_axes, orientation="horizontal")
    bar.outline.set_visible(False)
    bar_axes.grid(False)
    bar_axes.tick_params(labelsize=9, length=2, pad=1.5)
    bar_axes.set_title("probability", fontsize=9, weight="normal", loc="left", pad=2)
    n = len(xy)
    canvas.text(0.012, bottom, f"{n} selected pick{'s' * (n != 1)}", va="center")
    return f"{n} selected picks, coloured by their probability of being a particle."


def _by_truth(
    canvas: Canvas,
    axes: Axes,
    picks: Floats,
    truth: Floats,
    found: NDArray[np.int64],
    ignored: Bools,
    scale: float,
    size: float,
    line: float,
) -> str:
    hit = found >= 0
    neutral = hit.copy()
    neutral[hit] = ignored[found[hit]]
    missed = ~ignored
    missed[found[hit]] = False
    groups = (
        ("found", picks[hit & ~neutral], SKY, "-"),
        ("false", picks[~hit], VERMILLION, "-"),
        ("missed", truth[missed], YELLOW, ":"),
    )
    handles = []
    for label, xy, colour, dash in groups:
        _rings(
            axes, xy * scale, size, colour, line * (1.35 if label != "found" else 1.0), dash=dash
        )
        if label == "false":
            axes.plot(*(xy * scale).T, "x", color=colour, ms=5, mew=1.2 * line)
        handles.append(Line2D([], [], color=colour, ls=dash, lw=3, label=f"{len(xy)} {label}"))
    _rings(axes, picks[neutral] * scale, size, _DIM, line)
    canvas.legend(handles=handles, loc="lower left", ncols=3, borderaxespad=0.5, fontsize=11)
    counts = ", ".join(f"{len(xy)} {label}" for label, xy, _, _ in groups)
    edge = f" {int(neutral.sum())} on particles that do not count, white." if neutral.any() else ""
    return (
        f"{counts} (selected picks against the truth, within a quarter of the diameter):"
        f" blue found, red with a cross false, yellow dotted missed.{edge}"
    )


def _rings(
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


def _scale_bar(axes: Axes, preview_pixel_A: float, shape: tuple[int, int]) -> None:
    height, width = shape
    length_A = round_length(width * preview_pixel_A / 5)
    right, y = width * 0.97, height * 0.955
    left = right - length_A / preview_pixel_A
    axes.fill_between(
        [left - 0.015 * width, right + 0.015 * width],
        height * 0.895,
        height * 0.975,
        color="#000000",
        alpha=0.6,
        lw=0,
    )
    axes.plot([left, right], [y, y], color="#FFFFFF", lw=3, solid_capstyle="butt")
    axes.text(
        (left + right) / 2,
        height * 0.944,
        f"{length_A:g} Å",
        color="#FFFFFF",
        ha="center",
        va="bottom",
        fontsize=10,
    )


def round_length(length: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... (or its fractions) not above ``length``."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= length * (1 + 1e-9))


def _probability_colours() -> Colormap:
    """Return the bright part of viridis: its dark end is lost on a micrograph."""
    return ListedColormap(colormaps["viridis"](np.linspace(0.42, 1.0, 256)).tolist(), "picks")


def _flat(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64).ravel()
