"""Figures as a PDF, one a page: what RELION shows as ``logfile.pdf``."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from frostpick.report.figure import Figure, drawing, printable
from frostpick.runtime.atomic import atomic_write

#: A file of a usual job is smaller: pages are stored coarser until it is.
MAX_BYTES = 3_000_000
_PAGE_IN, _MARGIN_IN, _LINE_IN = 8.0, 0.35, 0.2
_LETTERS_A_LINE = 100
#: Pixels per inch of a page: a figure keeps the pixels that it has.
_DPI = 132
#: Of JPEG, from the ordinary to the last resort. Quality goes, not pixels: circles and letters
#: stay recognisable in a coarse JPEG, not in a small one.
_QUALITIES = (80, 65, 50, 40, 30, 20)


def write_figures_pdf(
    path: Path, figures: Sequence[Figure], warning: str = "", *, max_bytes: int = MAX_BYTES
) -> None:
    """Write one figure with its caption to each page, at least one page, atomically.

    Pages are JPEG pictures. The same figures give the same bytes: no dates are stored.

    Parameters
    ----------
    path
        The PDF; an older one is replaced only when the new one is whole.
    figures
        In the order of the pages. None at all gives one page that says so.
    warning
        Text of a page before them; none when empty.
    max_bytes
        Pages are stored coarser until the file is not larger, as far as that goes.
    """
    pages = [_page(None, f"Warning: {warning}")] if warning else []
    for figure in figures:
        with Image.open(io.BytesIO(figure.png)) as opened:
            pages.append(_page(opened.convert("RGB"), figure.caption))
    pages = pages or [_page(None, "No figures were made.")]
    for quality in _QUALITIES:
        data = _document(pages, quality)
        if len(data) <= max_bytes:
            break
    with atomic_write(path) as handle:
        handle.write(data)


def _document(pages: Sequence[Image.Image], quality: int) -> bytes:
    buffer = io.BytesIO()
    pages[0].save(
        buffer,
        "PDF",
        save_all=True,
        append_images=pages[1:],
        resolution=_DPI,
        quality=quality,
        title=None,
        creator="frostpick",
        producer="frostpick",
        creationDate=None,
        modDate=None,
    )
    return buffer.getvalue()


def _page(picture: Image.Image | None, caption: str) -> Image.Image:
    """Draw a page: the picture over the whole width, the caption below it."""
    text = textwrap.wrap(printable(caption, 2000), _LETTERS_A_LINE)
    wide = _PAGE_IN - 2 * _MARGIN_IN
    tall = 0.0 if picture is None else wide * picture.height / picture.width
    height = tall + _LINE_IN * len(text) + 3 * _MARGIN_IN
    with drawing(_PAGE_IN, height, layout=None) as canvas:
        canvas.set_dpi(_DPI)
        top = 1 - (tall + 1.6 * _MARGIN_IN) / height
        told = "\n".join(text)
        canvas.text(_MARGIN_IN / _PAGE_IN, top, told, va="top", fontsize=10, linespacing=1.3)
        agg = FigureCanvasAgg(canvas)
        agg.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(agg.buffer_rgba())  # type: ignore[no-untyped-call]
    page = Image.fromarray(np.ascontiguousarray(pixels[..., :3]), "RGB")
    if picture is not None:
        size = (round(wide * _DPI), max(1, round(tall * _DPI)))
        corner = (round(_MARGIN_IN * _DPI), round(_MARGIN_IN * _DPI))
        page.paste(picture.resize(size, Image.Resampling.LANCZOS), corner)
    return page
