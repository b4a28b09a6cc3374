"""Sections of an MRC stack, a few at a time."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.images.content import ImageFileError, open_file
from frostpick.images.machine import naming, read_values
from frostpick.images.mrc import (
    HEADER_BYTES,
    MrcHeader,
    parse_stack_header,
    settle_sign,
    why_short,
)

log = logging.getLogger(__name__)

#: About so many sections tell whether the bytes of a stack are signed.
LOOKED_AT = 100


@dataclass(frozen=True)
class Stack:
    """An MRC stack on disk: ``sections`` images of ``header.shape``."""

    path: Path
    header: MrcHeader
    sections: int

    @classmethod
    def open(cls, path: Path) -> Stack:
        """Read the header and compare it with the length of the file.

        Raises
        ------
        ImageFileError
            Not an MRC file, a mode that holds no images, or a truncated file.
        OSError
            The file cannot be read.
        """
        with naming(path), open_file(path) as handle:
            header, sections = parse_stack_header(handle.read(HEADER_BYTES))
            size = os.fstat(handle.fileno()).st_size
        ny, nx = header.shape
        needed = header.offset + sections * ny * nx * header.dtype.itemsize
        if size < needed:
            raise ImageFileError(
                f"{size} bytes; expected {needed} for {sections} images of {nx} x {ny} pixels: "
                + why_short(header.offset, needed, size)
            )
        return cls(path, header, sections)

    @cached_property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels; where the sign of bytes is open, some sections settle it."""
        if self.header.extremes is None:
            return self.header.dtype
        step = max(1, self.sections // LOOKED_AT)
        some = self._stored(np.arange(0, self.sections, step), self.header.dtype)
        settled, said = settle_sign(self.header, some)
        if said is not None:
            log.info("%s: %s", self.path, said)
        return settled.dtype

    def _stored(self, index: NDArray[np.int64], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
        """Return sections as they lie on the disk, ``(n, ny, nx)``.

        They are read, not mapped: where a disk fails under a map, the system ends the process.
        """
        ny, nx = self.header.shape
        stored = np.empty((len(index), ny, nx), dtype)
        with naming(self.path), open_file(self.path) as handle:
            for to, section in enumerate(index.tolist()):
                begin = self.header.offset + section * ny * nx * dtype.itemsize
                handle.seek(begin)
                values = read_values(handle, dtype, ny * nx)
                if values.size != ny * nx:
                    needed, size = begin + ny * nx * dtype.itemsize, begin + values.nbytes
                    raise ImageFileError(
                        f"{size} bytes; expected {needed} for {section + 1} images of {nx} x {ny} "
                        "pixels: the file has become shorter, copy or write it again"
                    )
                stored[to] = values.reshape(ny, nx)
        return stored

    def read(self, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the sections ``index`` (from 0) as ``(n, ny, nx)`` float32, in that order.

        Raises
        ------
        ImageFileError
            A section is asked for that the stack does not have, or no longer has.
        OSError
            The file cannot be read.
        """
        lost = index[(index < 0) | (index >= self.sections)]
        if len(lost):
            raise ImageFileError(
                f"image {int(lost[0]) + 1} is asked for and the stack has {self.sections}; "
                "expected the stack that the table was written for"
            )
        return self._stored(index, self.dtype).astype(np.float32)
