"""A finished picture with its caption, and the one way in which pictures are drawn."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import FontProperties, findfont, get_font
from numpy.typing import ArrayLike, NDArray

from frostpick.report.encode import palette_png
from frostpick.runtime.atomic import atomic_write

MICROGRAPH_PREFIX = "picks_on_"

# Okabe and Ito's palette: told apart with any form of colour blindness.
BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#9AA3AD"
INK = "#1F2933"
SERIES = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, INK)

DPI = 150
# Large type on a small sheet: the page is read on a phone at 40 % of these pixels.
WIDTH_IN = 6.4
_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "axes.titlesize": 12.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": "#E4E7EB",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "legend.fontsize": 10.0,
    # Micrographs are named by users: a dollar sign in a name is no formula.
    "text.parse_math": False,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
}


@dataclass(frozen=True)
class Figure:
    """A finished picture.

    Parameters
    ----------
    name
        Short and unique in a report, fit for a file name; pictures of picks on
        micrographs begin with ``picks_on_``.
    png
        The picture, a complete PNG file.
    caption
        What is seen, in plain words; no markup.
    """

    name: str
    png: bytes
    caption: str

    @property
    def is_micrograph(self) -> bool:
        """True for a picture of picks on a micrograph, of which a report shows a few."""
        return self.name.startswith(MICROGRAPH_PREFIX)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as a PNG file."""
        with atomic_write(Path(path)) as handle:
            handle.write(self.png)

    def _repr_png_(self) -> bytes:
        """Return the picture, for a notebook."""
        return self.png


@contextmanager
def drawing(
    width_in: float = WIDTH_IN,
    height_in: float = 3.9,
    layout: Literal["constrained"] | None = "constrained",
) -> Iterator[Canvas]:
    """Give an empty matplotlib figure, drawn in the house style whatever the user's own is.

    No pyplot: nothing is kept once the figure is dropped. Draw *and* encode inside
    the block, because matplotlib looks its settings up at both times.
    """
    with style.context(["default", _STYLE]):
        canvas = Canvas((width_in, height_in), dpi=DPI, facecolor="white", layout=layout)
        FigureCanvasAgg(canvas)
        yield canvas


def finished(canvas: Canvas, name: str, caption: str, *, noisy: bool = False) -> Figure:
    """Encode a drawing as PNG, without the date and version that would make it differ.

    ``noisy`` pictures, which hold parts of micrographs, are stored with 256 colours.
    """
    if noisy:
        agg = FigureCanvasAgg(canvas)
        agg.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(agg.buffer_rgba())  # type: ignore[no-untyped-call]
        return Figure(name, palette_png(pixels[..., :3]), caption)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", metadata={"Software": None})
    return Figure(name, buffer.getvalue(), caption)


def slug(text: str) -> str:
    """Return ``text`` with all but ASCII letters, digits, ``-``, ``_`` and ``.`` made ``_``."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in text)[-80:]


@cache
def _glyphs() -> frozenset[int]:
    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    return frozenset(code for code in font.get_charmap() if code >= 32)


def printable(text: str, limit: int = 60) -> str:
    """Return ``text`` fit for a plot: signs the font lacks as ``?``, a long middle cut."""
    clean = "".join(c if ord(c) in _glyphs() else "?" for c in text)
    if len(clean) <= limit:
        return clean
    head = (limit - 1) // 3
    return f"{clean[:head]}…{clean[len(clean) - (limit - 1 - head) :]}"


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """Return the finite ones of ``values`` as a flat float64 array."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    kept: NDArray[np.float64] = flat[np.isfinite(flat)]
    return kept


def drawable(low: float, high: float) -> tuple[float, float]:
    """Return limits of an axis, apart where both are all but the same."""
    largest = max(abs(low), abs(high))
    if high - low >= 1e-6 * max(1.0, largest):
        return low, high
    apart = max(0.5, 1e-3 * largest)
    return low - apart, high + apart


def say_empty(axes: Axes, text: str) -> None:
    """Write why there is nothing to see into an empty plot."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)


def versions() -> dict[str, str]:
    """Return the versions of what draws, for a report's list of software."""
    return {"matplotlib": matplotlib.__version__}
