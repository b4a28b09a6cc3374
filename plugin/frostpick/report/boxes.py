"""Small pictures of single picks side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from frostpick.report.figure import WIDTH_IN, Figure, drawing, finished, printable, say_empty

_MOST = 100


def box_mosaic(
    boxes: Sequence[ArrayLike],
    captions: Sequence[str] = (),
    *,
    name: str = "boxes",
    caption: str = "Boxes around picks, each with its own grey scale.",
    columns: int = 8,
) -> Figure:
    """Draw boxes cut around picks, row by row, with a few words under each.

    Parameters
    ----------
    boxes
        ``(h, w)`` images, at most 100 of which are drawn; each gets the grey
        scale of its own 1st to 99th percentile.
    captions
        One short text a box (a score, a reason), or none at all.
    name, caption
        Of the whole figure.
    columns
        Boxes in a row.
    """
    shown = [np.atleast_2d(np.asarray(b, np.float64)) for b in boxes[:_MOST]]
    columns = max(1, min(columns, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    side = WIDTH_IN / max(columns, 4)
    text = 0.24 if any(captions) else 0.0
    with drawing(side * columns, rows * (side + text)) as canvas:
        grid = canvas.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for i, (axes, box) in enumerate(zip(grid.flat, shown, strict=False)):
            good = box[np.isfinite(box)]
            low, high = np.percentile(good, (1, 99)) if len(good) else (0.0, 1.0)
            axes.imshow(
                np.nan_to_num(box, nan=float(low), posinf=float(high), neginf=float(low)),
                cmap="gray",
                vmin=low,
                vmax=high if high > low else low + 1,
            )
            if i < len(captions):
                axes.set_title(
                    printable(captions[i], 16),
                    fontsize=9,
                    weight="normal",
                    loc="center",
                    y=-0.02,
                    va="top",
                )
        if not shown:
            say_empty(grid[0, 0], "no boxes")
        canvas.subplots_adjust(
            0.005,
            0.6 * text / (rows * (side + text)) + 0.005,
            0.995,
            0.995,
            0.04,
            0.04 + 1.1 * text / side,
        )
        return finished(canvas, name, caption)
