"""Pictures made small: a palette for noisy PNGs, JPEG where a page must hold many."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# (greatest width in pixels, JPEG quality), from the ordinary to the last resort. Quality
# goes first: circles and particles stay recognisable in a coarse JPEG, not in a small one.
LEVELS: tuple[tuple[int, int], ...] = (
    (1200, 82),
    (960, 66),
    (840, 62),
    (720, 58),
    (560, 54),
    (420, 50),
)
_PNG_IS_SMALL = 120_000
_GREYS, _COLOURS = 128, 128
_GREY_MEANS = 12


@dataclass(frozen=True)
class Encoded:
    """A picture as it goes into a page: bytes, media type and size in pixels."""

    data: bytes
    media: str
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The picture as a ``data:`` address."""
        return f"data:{self.media};base64,{base64.b64encode(self.data).decode('ascii')}"


def encode(png: bytes, level: int) -> Encoded:
    """Return a picture at one of `LEVELS`: as PNG where that is small, else as JPEG.

    Colours are kept at full resolution, so that thin coloured circles stay sharp.
    """
    most, quality = LEVELS[level]
    with Image.open(io.BytesIO(png)) as opened:
        if len(png) <= _PNG_IS_SMALL and opened.width <= most:
            return Encoded(png, "image/png", opened.width, opened.height)
        image = opened.convert("RGB")
    if image.width > most:
        size = (most, max(1, round(image.height * most / image.width)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=quality, subsampling=0)
    return Encoded(jpeg.getvalue(), "image/jpeg", image.width, image.height)


def palette_png(rgb: NDArray[np.uint8]) -> bytes:
    """Return ``(h, w, 3)`` uint8 as a PNG of 256 colours: 128 greys, 128 others.

    For grey noise with coloured drawings on it: less than half the size of full
    colour. A common palette of both would leave too few entries to the rare colours.
    """
    red, green, blue = (rgb[..., k] for k in range(3))
    # ten times faster than along an axis of three
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    coloured = spread > _GREY_MEANS
    index = (rgb[..., 1] >> 1).astype(np.uint8)
    greys = np.repeat(np.linspace(0, 255, _GREYS).round().astype(np.uint8)[:, None], 3, axis=1)
    others = np.zeros((_COLOURS, 3), np.uint8)
    if coloured.any():
        strip = Image.fromarray(np.ascontiguousarray(rgb[coloured][None]), "RGB").quantize(
            _COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
        found = np.asarray(strip.getpalette(), np.uint8).reshape(-1, 3)[:_COLOURS]
        others[: len(found)] = found
        index[coloured] = np.asarray(strip)[0] + _GREYS
    image = Image.fromarray(index, "P")
    image.putpalette(np.concatenate([greys, others]).ravel().tolist())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
