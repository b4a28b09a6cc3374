"""Small pictures of single picks side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from frostpick.report.figure import WIDTH_IN, Figure, drawing, finished, printable, say_empty

_MOST = 100
_GAP_IN, _TEXT_IN = 0.05, 0.22


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
        One short text a box (a score, a reason below it), or none at all.
    name, caption
        Of the whole figure.
    columns
        Boxes in a row.
    """
    shown = [np.atleast_2d(np.asarray(b, np.float64)) for b in boxes[:_MOST]]
    columns = max(1, columns)
    rows = max(1, -(-len(shown) // columns))
    text_in = _TEXT_IN * max((1 + text.count("\n") for text in captions if text), default=0)
    side_in = (WIDTH_IN - (columns + 1) * _GAP_IN) / columns
    pitch_in = side_in + text_in + _GAP_IN
    height_in = rows * pitch_in + _GAP_IN
    letters = max(4, int(side_in / 0.08))
    with drawing(WIDTH_IN, height_in, layout=None) as canvas:
        for i, box in enumerate(shown):
            row, column = divmod(i, columns)
            left_in = _GAP_IN + column * (side_in + _GAP_IN)
            top_in = height_in - _GAP_IN - row * pitch_in
            axes = canvas.add_axes(
                (
                    left_in / WIDTH_IN,
                    (top_in - side_in) / height_in,
                    side_in / WIDTH_IN,
                    side_in / height_in,
                )
            )
            axes.set_axis_off()
            low, high = _grey_range(box)
            box = np.nan_to_num(box, nan=low, posinf=high, neginf=low)
            axes.imshow(box, cmap="gray", vmin=low, vmax=high)
            if i < len(captions):
                canvas.text(
                    (left_in + side_in / 2) / WIDTH_IN,
                    (top_in - side_in - text_in / 2) / height_in,
                    "\n".join(printable(line, letters) for line in captions[i].split("\n")),
                    fontsize=9,
                    ha="center",
                    va="center",
                )
        if not shown:
            axes = canvas.add_subplot()
            axes.set_axis_off()
            say_empty(axes, "no boxes")
        return finished(canvas, name, caption, noisy=True)


def _grey_range(box: np.ndarray) -> tuple[float, float]:
    good = box[np.isfinite(box)]
    if len(good) == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(good, (1, 99)))
    return low, high if high > low else low + 1.0
