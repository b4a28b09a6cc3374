"""What a micrograph file gives, and the checks that every format shares."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 65535
"""Longest side in pixels that is believed; five times the largest detector."""
_ROWS = 32


class ImageFileError(ValueError):
    """A file cannot be decoded; the text is one clause without the file's name."""


@dataclass(frozen=True)
class ImageHeader:
    """What is known of a micrograph before its pixels are read.

    Parameters
    ----------
    shape
        Rows and columns.
    pixel_size_A
        Pixel size in Angstrom; None where the header holds nothing credible.
    """

    shape: tuple[int, int]
    pixel_size_A: float | None


@dataclass(frozen=True)
class RawImage:
    """A decoded micrograph.

    Parameters
    ----------
    data
        ``(ny, nx)`` float32, C-contiguous, native byte order, writable, all finite.
    pixel_size_A
        Pixel size of the header in Angstrom, or None.
    """

    data: NDArray[np.float32]
    pixel_size_A: float | None


def credible_pixel_size(value: float) -> float | None:
    """Return a header's pixel size in Angstrom, or None for 0, 1.0 and nonsense.

    Writers that know no pixel size leave 0 or 1.0.
    """
    if not math.isfinite(value) or not 0.01 <= value <= 1000.0 or abs(value - 1.0) < 1e-5:
        return None
    return value


def is_special(path: Path) -> bool:
    """Tell a pipe, a socket or a device, which is no file to be read; `OSError` as `os.stat`."""
    mode = os.stat(path).st_mode
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def open_file(path: Path) -> IO[bytes]:
    """Open a file to read its bytes; a pipe would be waited for without end.

    Raises
    ------
    ImageFileError
        It is a pipe, a socket or a device.
    OSError
        It cannot be opened.
    """
    if is_special(path):
        raise ImageFileError("a pipe, a socket or a device; expected a file: check the path")
    return open(path, "rb")


def check_shape(nx: int, ny: int) -> None:
    """Raise `ImageFileError` for a zero or unbelievable size."""
    if nx == 0 or ny == 0:
        raise ImageFileError(
            f"zero size, {nx} x {ny} pixels; expected at least 1 x 1: write the file again"
        )
    if not (0 < nx <= MAX_SIDE and 0 < ny <= MAX_SIDE):
        raise ImageFileError(
            f"the header claims {nx} x {ny} pixels; expected sides of 1 to {MAX_SIDE}: "
            "the header is damaged, write the file again"
        )


def check_pixels(data: NDArray[np.float32]) -> None:
    """Raise `ImageFileError` when pixels are not finite, or all equal."""
    # min and max propagate NaN and need no temporary image, unlike isfinite; some rows at a
    # time, so that the second finds in the cache what the first has read
    parts = (data[start : start + _ROWS] for start in range(0, len(data), _ROWS))
    extremes = np.array([(part.min(), part.max()) for part in parts])
    low, high = float(extremes[:, 0].min()), float(extremes[:, 1].max())
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = int(data.size - np.count_nonzero(np.isfinite(data)))
        raise ImageFileError(
            f"{bad} of {data.size} pixels are NaN or infinite; expected none: "
            "repeat the step that wrote the file"
        )
    if low == high:
        raise ImageFileError(
            f"every pixel has the value {low:g}; expected an image: leave this micrograph out"
        )
