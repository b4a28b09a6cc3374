"""Picks drawn on a micrograph."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure as Canvas
from numpy.typing import ArrayLike, NDArray

from frostpick.report.circles import (
    ORIENTATION,
    image_axes,
    legend,
    line_width,
    rings,
    scale_bar,
    sheet,
)
from frostpick.report.figure import (
    MICROGRAPH_PREFIX,
    SKY,
    VERMILLION,
    YELLOW,
    Figure,
    drawing,
    finished,
    slug,
)
from frostpick.report.outcome import Outcome, compare
from frostpick.types import sigmoid

Floats = NDArray[np.float64]

_PALE = "#F2F2F2"
_LEAST_PROBABILITY = 0.4
#: Picks below the threshold are drawn within this many units of score, and at most so many: more
#: of them bury the image.
MARGIN, MOST_BELOW = 1.0, 40


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
    threshold: float | None = None,
    one: str = "selected pick",
) -> Figure:
    """Draw the picks of one micrograph as circles of the particle's diameter.

    Without truth, selected picks are coloured by probability. With truth, colours
    say found, false and missed. Of the picks below the threshold only those near it are
    drawn, thin and pale: within `MARGIN`, and the best `MOST_BELOW`.

    Parameters
    ----------
    preview
        ``(h, w)`` uint8, the micrograph made small; its pixel (0, 0) and the
        micrograph's have the same centre.
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
        ``(m,)`` bool: particles cut by the border, neither found nor missed; then
        unmatched picks within half a diameter of the border are not false either,
        as in `frostpick.evaluation`.
    pixel_size_A
        Of the full-resolution micrograph, for the scale bar.
    threshold
        In score units. None: the lowest selected score, the highest of all where none is
        selected.
    one
        What a selected pick is called.
    """
    image = np.atleast_2d(np.asarray(preview))
    xy = np.stack([_flat(x_px), _flat(y_px)], axis=1)
    logit, picked = _flat(score), _flat(selected).astype(bool)
    shown = np.isfinite(xy).all(axis=1)
    xy, logit, picked = xy[shown], logit[shown], picked[shown]
    size = diameter_px * scale
    with drawing(*sheet(image.shape), layout=None) as canvas:
        axes = image_axes(canvas, image, title)
        line = line_width(size, image.shape[1])
        near = near_threshold(logit, picked, threshold)
        rings(axes, xy[near] * scale, size, _PALE, max(0.45 * line, 0.6), alpha=0.6)
        if truth_xy is None:
            n = int(picked.sum())
            of = f"{n} {one}{'s' if n != 1 else ''}"
            told = _by_probability(canvas, axes, xy[picked] * scale, logit[picked], size, line, of)
            _tell_pale(canvas, len(near))
        else:
            full = (image.shape[0] / scale, image.shape[1] / scale)
            outcome = compare(xy[picked], logit[picked], truth_xy, truth_ignored, diameter_px, full)
            told = _by_truth(canvas, axes, outcome, scale, size, line)
        if pixel_size_A is not None and pixel_size_A > 0:
            scale_bar(canvas, axes, pixel_size_A / scale, truth_xy is not None)
        axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
        return finished(
            canvas,
            MICROGRAPH_PREFIX + slug(title),
            f"{title}: {told}{_told_below(int((~picked).sum()), len(near))} {ORIENTATION}",
            noisy=True,
        )


def near_threshold(
    score: Floats, selected: NDArray[np.bool_], threshold: float | None = None
) -> NDArray[np.intp]:
    """Return the picks below the threshold that are drawn, the best first.

    Parameters
    ----------
    score, selected
        ``(n,)`` float64 and bool.
    threshold
        As in `picks_on_micrograph`.
    """
    below = np.flatnonzero(~selected)
    below = below[np.argsort(-score[below], kind="stable")]
    if threshold is None and len(score):
        threshold = float(score[selected].min() if selected.any() else score.max())
    if threshold is not None:
        below = below[score[below] >= threshold - MARGIN]
    return below[:MOST_BELOW]


def _tell_pale(canvas: Canvas, drawn: int) -> None:
    if drawn:
        told = f"{drawn} just below the threshold, pale"
        canvas.text(0.012, 0.16 / canvas.get_figheight(), told, fontsize=9)


def _told_below(below: int, drawn: int) -> str:
    """Return what the caption says of the picks below the threshold."""
    if not below:
        return ""
    count = f" {below} pick{'s' * (below != 1)} below the threshold"
    if drawn == below:
        return f"{count} {'is' if below == 1 else 'are'} thin and pale."
    return f"{count}, the {drawn} next to it thin and pale." if drawn else f"{count}, not drawn."


def _by_probability(
    canvas: Canvas, axes: Axes, xy: Floats, logit: Floats, size: float, line: float, told: str
) -> str:
    probability = sigmoid(logit)
    norm, colours = Normalize(_LEAST_PROBABILITY, 1.0, clip=True), _probability_colours()
    rings(axes, xy, size, colours(norm(probability)), line)
    height_in = canvas.get_figheight()
    bar_axes = canvas.add_axes((0.6, 0.3 / height_in, 0.36, 0.1 / height_in))
    less = len(probability) > 0 and float(probability.min()) < _LEAST_PROBABILITY
    bar = canvas.colorbar(
        ScalarMappable(norm, colours),
        cax=bar_axes,
        orientation="horizontal",
        extend="min" if less else "neither",
    )
    bar.outline.set_visible(False)
    bar_axes.grid(False)
    bar_axes.tick_params(labelsize=9, length=2, pad=1.5)
    bar_axes.set_title("probability", fontsize=9, weight="normal", loc="left", pad=2)
    canvas.text(0.012, 0.36 / height_in, told)
    return f"{told}, coloured by probability."


def _by_truth(
    canvas: Canvas, axes: Axes, outcome: Outcome, scale: float, size: float, line: float
) -> str:
    groups = [
        ("found", outcome.found, SKY, "-", line),
        ("false", outcome.false, VERMILLION, "-", 1.35 * line),
        ("missed", outcome.missed, YELLOW, ":", 1.35 * line),
    ]
    if len(outcome.ignored):
        groups.append(("not counted", outcome.ignored, _PALE, "-", line))
    for _, xy, colour, dash, width in groups:
        rings(axes, xy * scale, size, colour, width, dash=dash)
    axes.plot(*(outcome.false * scale).T, "x", color=VERMILLION, ms=5, mew=1.2 * line)
    legend(canvas, [(f"{len(xy)} {label}", colour, dash) for label, xy, colour, dash, _ in groups])
    told = ", ".join(f"{len(xy)} {label}" for label, xy, *_ in groups)
    near = " White ones are at particles cut by the border." if len(outcome.ignored) else ""
    return f"{told}: selected picks against the truth, within a quarter of the diameter.{near}"


def _probability_colours() -> Colormap:
    """Return the bright part of viridis: its dark end is lost on a micrograph."""
    return ListedColormap(colormaps["viridis"](np.linspace(0.42, 1.0, 256)).tolist(), "picks")


def _flat(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64).ravel()
