"""Rows of a pruning job on their micrograph: what was kept, and what was rejected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
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
    Figure,
    drawing,
    finished,
    slug,
)


def decisions_on_micrograph(
    preview: NDArray[np.uint8],
    x_px: ArrayLike,
    y_px: ArrayLike,
    keep: ArrayLike,
    scale: float,
    diameter_px: float,
    title: str,
    reasons: Mapping[str, int],
    *,
    pixel_size_A: float | None = None,
) -> Figure:
    """Draw the rows of one micrograph, kept ones blue, rejected ones red with a cross.

    Parameters
    ----------
    preview, x_px, y_px, scale, diameter_px, title, pixel_size_A
        As in `frostpick.report.micrographs.picks_on_micrograph`.
    keep
        ``(n,)`` bool.
    reasons
        How many of the micrograph's rows are rejected for each reason.
    """
    image = np.atleast_2d(np.asarray(preview))
    xy = np.stack([np.asarray(v, np.float64).ravel() for v in (x_px, y_px)], axis=1) * scale
    kept = np.asarray(keep, np.bool_).ravel()
    size = diameter_px * scale
    with drawing(*sheet(image.shape), layout=None) as canvas:
        axes = image_axes(canvas, image, title)
        line = line_width(size, image.shape[1])
        rings(axes, xy[~kept], size, VERMILLION, line)
        axes.plot(*xy[~kept].T, "x", color=VERMILLION, ms=4, mew=line)
        rings(axes, xy[kept], size, SKY, 1.2 * line)
        counts = f"{kept.sum()} kept", f"{(~kept).sum()} rejected"
        legend(canvas, [(counts[0], SKY, "-"), (counts[1], VERMILLION, "-")])
        if pixel_size_A is not None and pixel_size_A > 0:
            scale_bar(canvas, axes, pixel_size_A / scale, at_right=True)
        axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
        return finished(
            canvas,
            MICROGRAPH_PREFIX + slug(title),
            f"{title}: {counts[0]}, {counts[1]}{f' ({why})' if why else ''}. {ORIENTATION}",
            noisy=True,
        )
