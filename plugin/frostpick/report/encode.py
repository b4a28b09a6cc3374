"""Pictures made small enough for a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

# (greatest width in pixels, JPEG quality), from the ordinary to the last resort.
LEVELS: tuple[tuple[int, int], ...] = ((1200, 86), (840, 78), (620, 70), (440, 60))
_PNG_IS_SMALL = 100_000


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

    A noisy micrograph is a third as large as JPEG; colours are kept at full
    resolution, so that thin coloured circles stay sharp.
    """
    most, quality = LEVELS[level]
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    data = png
    if image.width > most:
        size = (most, max(1, round(image.height * most / image.width)))
        image = image.resize(size, Image.Resampling.LANCZOS)
        data = _saved(image, "PNG", optimize=True)
    if len(data) > (_PNG_IS_SMALL if level == 0 else 0):
        jpeg = _saved(image, "JPEG", quality=quality, subsampling=0, optimize=True)
        if len(jpeg) < 0.7 * len(data):
            return Encoded(jpeg, "image/jpeg", image.width, image.height)
    return Encoded(data, "image/png", image.width, image.height)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
