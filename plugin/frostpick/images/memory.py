"""A micrograph that is an array, for what works on files of micrographs."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray

from frostpick.errors import MicrographError
from frostpick.images.content import ImageFileError, check_pixels


def as_image(array: NDArray[Any], micrograph_id: str) -> NDArray[np.float32]:
    """Return an array as the pixels of a micrograph: ``(ny, nx)`` float32, rows as they are.

    Raises
    ------
    MicrographError
        It is not of two dimensions, is complex, has pixels that are not finite, or is constant.
    """
    given = np.asarray(array)
    if given.ndim != 2 or given.dtype.kind not in "biuf":
        raise MicrographError(
            micrograph_id,
            f"an array of shape {given.shape} and type {given.dtype}; expected (ny, nx) numbers",
        )
    image = np.ascontiguousarray(given, np.float32)
    try:
        check_pixels(image)
    except ImageFileError as error:
        raise MicrographError(micrograph_id, str(error)) from error
    return image


@dataclass(frozen=True, eq=False)
class InMemory:
    """A micrograph in memory, as a `MicrographSource`: written to a file while it is used.

    So that whatever takes `Micrograph` takes arrays too: training, few-shot picking, pruning.

    Parameters
    ----------
    array
        ``(ny, nx)`` real numbers; computed with as float32.
    name
        For messages.
    """

    array: NDArray[Any]
    name: str = "array.mrc"

    @contextmanager
    def fetch(self) -> Iterator[Path]:
        """Give an MRC file of the array for the length of a ``with`` block."""
        with tempfile.TemporaryDirectory(prefix="frostpick") as folder:
            path = Path(folder) / "array.mrc"
            with mrcfile.new(path, as_image(self.array, self.name)):
                pass
            yield path

    def fingerprint(self) -> str:
        """Return the SHA-256 of shape, type and values."""
        values = np.ascontiguousarray(self.array)
        told = f"{values.shape}{values.dtype.str}".encode()
        return hashlib.sha256(told + values.tobytes()).hexdigest()
