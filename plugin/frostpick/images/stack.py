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
        with open_file(path) as handle:
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
        some = slice(None, None, max(1, self.sections // LOOKED_AT))
        settled, said = settle_sign(self.header, self._mapped(self.header.dtype)[some])
        if said is not None:
            log.info("%s: %s", self.path, said)
        return settled.dtype

    def _mapped(self, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
        """Return all sections as they lie on the disk, ``(sections, ny, nx)``, unread."""
        shape = (self.sections, *self.header.shape)
        return np.memmap(self.path, dtype, "r", self.header.offset, shape)

    def read(self, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the sections ``index`` (from 0) as ``(n, ny, nx)`` float32, in that order.

        Raises
        ------
        ImageFileError
            A section is asked for that the stack does not have.
        """
        lost = index[(index < 0) | (index >= self.sections)]
        if len(lost):
            raise ImageFileError(
                f"image {int(lost[0]) + 1} is asked for and the stack has {self.sections}; "
                "expected the stack that the table was written for"
            )
        return np.asarray(self._mapped(self.dtype)[index]).astype(np.float32)
