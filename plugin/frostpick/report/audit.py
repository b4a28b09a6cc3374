"""Pictures of single picks for a person who judges them, and the page that shows them all."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from jinja2 import Environment, StrictUndefined, Template
from matplotlib.font_manager import FontProperties, findfont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from frostpick.report.circles import round_length
from frostpick.report.encode import palette_png
from frostpick.report.figure import INK, SKY

#: Side of a picture, height of the strip below it, and the gap on the sheet, in pixels.
SIDE, FOOT, GAP, COLUMNS = 320, 34, 14, 6
#: Drawn so many times larger and made small again, so that circles are smooth.
FINER = 2
#: Grey levels go from this to that percentile of the middle of the box, of which this part of
#: the side counts: ice in a corner is not to take them all.
TAILS, MIDDLE = (0.5, 99.5), 0.6
#: Parts of the circle that are drawn: open towards the corners, where a particle's rim shows.
ARCS = ((-20, 20), (70, 110), (160, 200), (250, 290))


def pick_picture(
    box: NDArray[np.float32], number: int, px_per_diameter: float, diameter_A: float
) -> bytes:
    """Return the picture of one pick as a PNG: its box, the diameter, a scale bar, its number.

    Parameters
    ----------
    box
        ``(side, side)`` float32 with the pick in its middle, NaN where no micrograph is.
    number
        What the table calls the pick.
    px_per_diameter, diameter_A
        Scale of the box: pixels a diameter, and Angstrom a diameter.
    """
    size = SIDE * FINER
    picture = Image.new("RGB", (size, size + FOOT * FINER), "white")
    picture.paste(Image.fromarray(_grey(box)).resize((size, size), Image.Resampling.BICUBIC))
    draw = ImageDraw.Draw(picture)
    radius = 0.5 * size * px_per_diameter / box.shape[0]
    middle = (size / 2 - radius, size / 2 - radius, size / 2 + radius, size / 2 + radius)
    for first, last in ARCS:
        draw.arc(middle, first, last, fill=SKY, width=3 * FINER)
    baseline = size + FOOT * FINER // 2
    draw.text((6 * FINER, baseline), str(number), INK, _font(22 * FINER, bold=True), anchor="lm")
    length_A = round_length(diameter_A * box.shape[0] / px_per_diameter / 3)
    length = size * length_A / (diameter_A * box.shape[0] / px_per_diameter)
    right, low = size - 6 * FINER, baseline + 9 * FINER
    draw.rectangle((right - length, low, right, low + 3 * FINER), fill=INK)
    told = f"{length_A:g} Å"
    draw.text((right - length / 2, baseline - 3 * FINER), told, INK, _font(15 * FINER), anchor="mm")
    small = picture.resize((SIDE, SIDE + FOOT), Image.Resampling.LANCZOS)
    return palette_png(np.asarray(small))


def contact_sheet(pictures: Sequence[bytes]) -> bytes:
    """Return all pictures on one PNG, row by row in their order."""
    columns = min(COLUMNS, max(1, len(pictures)))
    rows = max(1, math.ceil(len(pictures) / columns))
    width, height = SIDE + GAP, SIDE + FOOT + GAP
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "white")
    for k, png in enumerate(pictures):
        row, column = divmod(k, columns)
        with Image.open(io.BytesIO(png)) as one:
            sheet.paste(one, (GAP + column * width, GAP + row * height))
    return palette_png(np.asarray(sheet))


def audit_page(
    title: str, pictures: Sequence[tuple[int, str]], diameter_A: float, table: str, job: str
) -> str:
    """Return the HTML page that shows all pictures, which lie beside it.

    Parameters
    ----------
    title, job
        What the job is called, and its folder as a command takes it.
    pictures
        Number and file name of each, in their order.
    diameter_A
        What the circle shows.
    table
        Name of the file that takes the answers.
    """
    return _template().render(
        title=title,
        pictures=pictures,
        diameter=f"{diameter_A:.0f}",
        table=table,
        job=job,
        side=SIDE,
        height=SIDE + FOOT,
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("frostpick.report").joinpath("audit.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)


@cache
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    kind = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    return ImageFont.truetype(findfont(kind), size)


def _grey(box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return grey levels; what lies off the micrograph is white."""
    there = np.isfinite(box)
    if not there.any():
        return np.full(box.shape, 255, np.uint8)
    edge = round(0.5 * (1 - MIDDLE) * box.shape[0])
    middle = box[edge : box.shape[0] - edge, edge : box.shape[1] - edge]
    counted = middle[np.isfinite(middle)]
    low, high = (float(v) for v in np.percentile(counted if len(counted) else box[there], TAILS))
    scaled = (np.where(there, box, low) - low) / max(high - low, 1e-12)
    grey = np.clip(np.round(245 * scaled), 0, 245)
    return np.where(there, grey, 255).astype(np.uint8)
