"""A micrograph with its picks as circles of the particle's size, for the results of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from PIL import Image, ImageDraw
from pipeliner.mrc_image_tools import get_image_info, make_thumbnail_image

from frostpick_doppio.results import MicrographPicks

#: Widest picture, in pixels; a smaller micrograph is shown at its own size.
WIDTH = 900
_COLOUR = (255, 190, 0)
#: Radius where the size of the particle in pixels is not known: this part of the width.
_PART = 0.015


def draw_picks(
    picks: MicrographPicks, diameter_A: Optional[float], pixel_size_A: Optional[float], file: Path
) -> None:
    """Write a picture of a micrograph with a circle around each pick.

    Parameters
    ----------
    diameter_A
        Of the circles; None where it is not known.
    pixel_size_A
        Of the micrograph; None takes that of its header.
    file
        Where to write, as PNG.
    """
    info = get_image_info(picks.micrograph)
    grey = make_thumbnail_image(picks.micrograph, new_width=WIDTH)
    image = Image.fromarray(grey).convert("RGB")
    scale = image.width / info.size_x
    pixel_size_A = pixel_size_A or info.apix_x
    radius = _PART * image.width
    if diameter_A and pixel_size_A:
        radius = scale * diameter_A / pixel_size_A / 2
    draw = ImageDraw.Draw(image)
    for x, y in picks.places:
        # An integer is the centre of a pixel, which is half a pixel inside it.
        px, py = (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5
        draw.ellipse((px - radius, py - radius, px + radius, py + radius), outline=_COLOUR, width=2)
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)
