"""Write an image as MRC."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from frostpick.runtime.atomic import atomic_write

_MODES = {"float32": 2, "float16": 12}


def write_mrc(path: Path, image: NDArray[np.floating], pixel_size_A: float) -> None:
    """Write one image atomically, little-endian, MRC mode 2 (float32) or 12 (float16).

    Parameters
    ----------
    image
        ``(ny, nx)`` float32 or float16.
    pixel_size_A
        Goes into the header, in Angstrom.

    Raises
    ------
    ValueError
        Another shape or type.
    """
    mode = _MODES.get(image.dtype.name)
    if image.ndim != 2 or mode is None:
        raise ValueError(
            f"{path}: expected a 2-D float32 or float16 image, got {image.dtype} {image.shape}"
        )
    ny, nx = image.shape
    header = np.zeros((), HEADER_DTYPE.newbyteorder("<"))
    for name, value in {
        "nx": nx, "ny": ny, "nz": 1, "mode": mode, "mx": nx, "my": ny, "mz": 1,
        "mapc": 1, "mapr": 2, "maps": 3, "nversion": 20140, "map": b"MAP ",
        "machst": (0x44, 0x44, 0, 0),
    }.items():  # fmt: skip
        header[name] = value
    header["cella"] = (nx * pixel_size_A, ny * pixel_size_A, pixel_size_A)
    header["cellb"] = (90.0, 90.0, 90.0)
    values = image.astype(np.float64)
    header["dmin"], header["dmax"] = values.min(), values.max()
    header["dmean"], header["rms"] = values.mean(), values.std()
    with atomic_write(path) as handle:
        handle.write(header.tobytes())
        handle.write(np.ascontiguousarray(image, image.dtype.newbyteorder("<")).tobytes())
