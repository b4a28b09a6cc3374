"""Read a micrograph or its header, whatever the format."""

from __future__ import annotations

import bz2
import gzip
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import MicrographError
from frostpick.images import mrc, tiff
from frostpick.images.content import (
    ImageFileError,
    ImageHeader,
    RawImage,
    check_pixels,
    open_file,
)
from frostpick.images.machine import is_machine_error, naming

log = logging.getLogger(__name__)

IMAGE_SUFFIXES: tuple[str, ...] = (
    ".mrc",
    ".mrcs",
    ".mrc.gz",
    ".mrc.bz2",
    ".tif",
    ".tiff",
)
"""Endings, in lower case, of files that are taken for micrographs in a folder."""


def read_image(path: Path, micrograph_id: str, *, reverse_tiff: bool = True) -> RawImage:
    """Decode one micrograph.

    Parameters
    ----------
    path
        MRC of mode 0, 1, 2, 6 or 12, plain or compressed with gzip or bzip2, or
        TIFF. The content decides, not the file's name.
    micrograph_id
        For messages.
    reverse_tiff
        Whether row 0 is the last row of a TIFF (`Micrograph.reverse_tiff`).

    Returns
    -------
    RawImage
        ``(ny, nx)`` float32; MRC rows as stored, TIFF rows reversed (see the package).

    Raises
    ------
    MicrographError
        Missing, empty or truncated file, no image, a stack, complex or non-finite
        pixels, a constant image.
    OSError
        The machine or a disk failed, not this file (`is_machine_error`).
    """
    with _explained(path, micrograph_id):
        with open_file(path) as handle:
            magic, size = _start(handle)
            if magic in tiff.MAGIC:
                data, pixel_size_A = tiff.read_tiff(path, reverse=reverse_tiff)
            else:
                data, pixel_size_A = _read_mrc(path, handle, magic, size)
        check_pixels(data)
    return RawImage(data, pixel_size_A)


def read_header(path: Path, micrograph_id: str) -> ImageHeader:
    """Return shape and pixel size without reading the pixels.

    Raises
    ------
    MicrographError
        As `read_image`, as far as the header and the length of the file tell.
    """
    with _explained(path, micrograph_id), open_file(path) as handle:
        magic, size = _start(handle)
        if magic in tiff.MAGIC:
            return tiff.read_tiff_header(path)
        if stream := _decompressor(handle, magic):
            with stream:
                header = mrc.parse_header(stream.read(mrc.HEADER_BYTES))
        else:
            header = mrc.parse_header(handle.read(mrc.HEADER_BYTES))
            mrc.check_size(header, size)
        return ImageHeader(header.shape, header.pixel_size_A)


def _start(handle: IO[bytes]) -> tuple[bytes, int]:
    size = os.fstat(handle.fileno()).st_size
    magic = handle.read(4)
    handle.seek(0)
    if not magic:
        raise ImageFileError("an empty file; expected an image: copy or write it again")
    return magic, size


def _read_mrc(
    path: Path, handle: IO[bytes], magic: bytes, size: int
) -> tuple[NDArray[np.float32], float | None]:
    if stream := _decompressor(handle, magic):
        with stream:
            header = mrc.parse_header(stream.read(mrc.HEADER_BYTES))
            data, said, size = mrc.read_stream(stream, header)
    else:
        header = mrc.parse_header(handle.read(mrc.HEADER_BYTES))
        data, said = mrc.read_plain(handle, header, size)
    if said is not None:
        log.info("%s: %s", path, said)
    if size > header.end:
        log.warning("%s: %d bytes behind the image are ignored", path, size - header.end)
    return data, header.pixel_size_A


def _decompressor(handle: IO[bytes], magic: bytes) -> IO[bytes] | None:
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=handle, mode="rb")  # type: ignore[return-value]
    if magic[:3] == b"BZh":
        return bz2.BZ2File(handle, "rb")
    return None


@contextmanager
def _explained(path: Path, micrograph_id: str) -> Iterator[None]:
    """Turn what reading raises into a MicrographError that names the file."""
    try:
        with naming(path):
            yield
    except ImageFileError as error:
        raise MicrographError(micrograph_id, f"{path}: {error}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MicrographError(
            micrograph_id,
            f"{path}: the compressed data end early or are damaged ({error}); "
            "expected a whole file: copy or write it again",
        ) from error
    except OSError as error:
        if is_machine_error(error):
            raise
        raise MicrographError(
            micrograph_id,
            f"{path}: cannot be read ({error.strerror or error}); "
            "expected a readable file: check path and permissions",
        ) from error
