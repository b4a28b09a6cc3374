"""Single-image TIFF files, rows reversed as RELION reads them, or as stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from frostpick.images.content import (
    ImageFileError,
    ImageHeader,
    check_shape,
    credible_pixel_size,
)

log = logging.getLogger(__name__)

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ANGSTROM_PER_UNIT = {2: 2.54e8, 3: 1e8}  # ResolutionUnit: inch, centimetre


def read_tiff_header(path: Path) -> ImageHeader:
    """Return shape and pixel size of a TIFF file.

    Raises
    ------
    ImageFileError
        Not one greyscale image, or damaged.
    """
    with _opened(path) as tiff:
        page = _only_page(tiff)
        return ImageHeader((page.imagelength, page.imagewidth), _pixel_size(page))


def read_tiff(path: Path, *, reverse: bool = True) -> tuple[NDArray[np.float32], float | None]:
    """Return the pixels, ``(ny, nx)`` float32, and the pixel size in Angstrom or None.

    Parameters
    ----------
    reverse
        Row 0 of the result is the last row of the file, as in RELION; else it is row 0.
    """
    with _opened(path) as tiff:
        page = _only_page(tiff)
        _check_bytes(page, tiff.filehandle.size)
        stored = page.asarray()
        pixel_size_A = _pixel_size(page)
    if stored.shape != (page.imagelength, page.imagewidth):
        raise ImageFileError(f"an image of shape {stored.shape}; expected one greyscale image")
    rows = stored[::-1] if reverse else stored
    data = np.require(rows, np.float32, ("C", "W"))
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        log.info("%s: a TIFF whose lowest value is white (WhiteIsZero); its greys are turned", path)
        data = _white_at_the_top(data, stored.dtype)
    return data, pixel_size_A


def _white_at_the_top(
    data: NDArray[np.float32], stored: np.dtype[np.generic]
) -> NDArray[np.float32]:
    """Return greys that grow with brightness: unsigned ones stay in their range."""
    top = 2 ** (8 * stored.itemsize) - 1 if stored.kind == "u" else 0
    return np.float32(top) - data


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file; whatever its decoder raises becomes `ImageFileError`."""
    try:
        with tifffile.TiffFile(path) as tiff:
            yield tiff
    except (ImageFileError, MemoryError, OSError):
        raise
    except Exception as error:  # nearly every built-in error is seen on damaged files
        raise _damaged(error) from error


def _damaged(error: Exception) -> ImageFileError:
    if "imagecodecs" in str(error):
        return ImageFileError(
            f"a compressed TIFF ({error}); expected one that needs no extra package: "
            "pip install imagecodecs, or convert it to MRC"
        )
    return ImageFileError(
        f"a TIFF that cannot be decoded ({type(error).__name__}: {error}); "
        "expected a whole greyscale image: copy or write it again"
    )


def _only_page(tiff: tifffile.TiffFile) -> tifffile.TiffPage:
    page = tiff.pages[0]
    count = len(tiff.pages)
    if count > 1:
        raise ImageFileError(
            f"{count} images, a stack or movie; expected 1: give motion-corrected micrographs"
        )
    if not isinstance(page, tifffile.TiffPage) or page.dtype is None:
        raise ImageFileError("a TIFF of unknown pixel type; expected 8, 16 or 32-bit greyscale")
    if page.samplesperpixel != 1 or page.imagedepth != 1:
        raise ImageFileError(
            f"{page.samplesperpixel} colours a pixel; expected 1: convert it to greyscale"
        )
    if page.dtype.kind not in "biuf":
        raise ImageFileError(f"pixels of type {page.dtype}; expected real numbers: convert it")
    check_shape(page.imagewidth, page.imagelength)
    return page


def _check_bytes(page: tifffile.TiffPage, size: int) -> None:
    ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > size:
        raise ImageFileError(
            f"{size} bytes; expected {max(ends, default=0)}: "
            "the file is truncated, copy or write it again"
        )
    if page.compression == 1 and sum(page.databytecounts) * 8 < (
        page.imagewidth * page.imagelength * page.bitspersample
    ):
        raise ImageFileError(
            f"{sum(page.databytecounts)} bytes of pixels; expected "
            f"{page.imagewidth * page.imagelength * page.bitspersample // 8}: write it again"
        )


def _pixel_size(page: tifffile.TiffPage) -> float | None:
    unit = page.tags.get(296)
    resolution = page.tags.get(282)
    if unit is None or resolution is None or int(unit.value) not in _ANGSTROM_PER_UNIT:
        return None
    numerator, denominator = resolution.value
    if numerator <= 0 or denominator <= 0:
        return None
    return credible_pixel_size(_ANGSTROM_PER_UNIT[int(unit.value)] * denominator / numerator)
