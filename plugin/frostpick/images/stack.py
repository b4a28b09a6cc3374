"""Sections of an MRC stack, a few at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.images.content import ImageFileError
from frostpick.images.mrc import HEADER_BYTES, MrcHeader, parse_stack_header


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
        with open(path, "rb") as handle:
            header, sections = parse_stack_header(handle.read(HEADER_BYTES))
            size = os.fstat(handle.fileno()).st_size
        ny, nx = header.shape
        needed = header.offset + sections * ny * nx * header.dtype.itemsize
        if size < needed:
            raise ImageFileError(
                f"{size} bytes; expected {needed} for {sections} images of {nx} x {ny} pixels: "
                "the file is truncated, copy or write it again"
            )
        return cls(path, header, sections)

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
        mapped = np.memmap(
            self.path,
            self.header.dtype,
            "r",
            self.header.offset,
            (self.sections, *self.header.shape),
        )
        return np.asarray(mapped[index]).astype(np.float32)
