"""Figures as a PDF, one a page: what RELION shows as ``logfile.pdf``."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from numpy.typing import NDArray
from PIL import Image

from frostpick.report.figure import Figure, drawing, printable
from frostpick.runtime.atomic import atomic_write

_PAGE_IN, _MARGIN_IN, _LINE_IN = 8.0, 0.35, 0.2
_LETTERS_A_LINE = 100


def write_figures_pdf(path: Path, figures: Sequence[Figure], warning: str = "") -> None:
    """Write one figure with its caption to each page, at least one page, atomically.

    The same figures give the same bytes: no dates are stored.

    Parameters
    ----------
    path
        The PDF; an older one is replaced only when the new one is whole.
    figures
        In the order of the pages. None at all gives one page that says so.
    warning
        Text of a page before them; none when empty.
    """
    buffer = io.BytesIO()
    metadata = {"CreationDate": None, "Creator": "frostpick", "Producer": "frostpick"}
    with PdfPages(buffer, metadata=metadata) as pages:
        if warning:
            _page(pages, None, f"Warning: {warning}")
        for figure in figures:
            with Image.open(io.BytesIO(figure.png)) as opened:
                # The writer stores an image of at most 256 colours by a palette.
                image = np.asarray(opened.convert("RGB"))
            _page(pages, image, figure.caption)
        if not figures and not warning:
            _page(pages, None, "No figures were made.")
    with atomic_write(path) as handle:
        handle.write(buffer.getvalue())


def _page(pages: PdfPages, image: NDArray[np.uint8] | None, caption: str) -> None:
    text = textwrap.wrap(printable(caption, 2000), _LETTERS_A_LINE)
    wide = _PAGE_IN - 2 * _MARGIN_IN
    tall = 0.0 if image is None else wide * image.shape[0] / image.shape[1]
    height = tall + _LINE_IN * len(text) + 3 * _MARGIN_IN
    with drawing(_PAGE_IN, height, layout=None) as canvas:
        if image is not None:
            bottom = 1 - (tall + _MARGIN_IN) / height
            axes = canvas.add_axes((_MARGIN_IN / _PAGE_IN, bottom, wide / _PAGE_IN, tall / height))
            axes.imshow(image, interpolation="none", aspect="auto")
            axes.set_axis_off()
        top = 1 - (tall + 1.6 * _MARGIN_IN) / height
        told = "\n".join(text)
        canvas.text(_MARGIN_IN / _PAGE_IN, top, told, va="top", fontsize=10, linespacing=1.3)
        pages.savefig(canvas)  # type: ignore[no-untyped-call]
