"""Picks of a file as they stand there, before they are matched to micrographs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.pick_columns import OPTIONAL, OptionalColumns

log = logging.getLogger(__name__)

Float = NDArray[np.float64]


@dataclass(frozen=True)
class PickTable(OptionalColumns):
    """Picks on any number of micrographs, in the order of the file; the row is the index.

    The file may have any of the `OptionalColumns`; a row of which it does not tell them has
    the filament 0 and the angle NaN.

    Parameters
    ----------
    path
        The file.
    format
        ``star``, ``csv``, ``topaz``, ``box``.
    micrograph
        ``(n,)`` names as written; where the file names none, its own path without extension.
    x_px, y_px
        ``(n,)`` column and row in pixels of the micrograph the picks were made on.
    score, probability, selected
        ``(n,)`` or None where the file has no such column.
    shift_A
        ``(n, 2)`` x and y in Angstrom, or None: the alignment of a particle. The centre
        lies at ``coordinate - shift / pixel size`` (`centres`).
    pixel_size_A
        ``(n,)`` pixel size of those micrographs where the file tells it (NaN where not).
    edge
        ``(n,)`` bool, truth files only: cut by the border of the micrograph.
    kind
        ``(n,)`` truth files only: ``particle`` or what else it is.
    sign
        ``(n,)`` int8, files of labels only: 1 for a particle, -1 for a place that is none.
    """

    path: Path
    format: str
    micrograph: tuple[str, ...]
    x_px: Float
    y_px: Float
    score: Float | None = None
    probability: Float | None = None
    selected: NDArray[np.bool_] | None = None
    shift_A: Float | None = None
    pixel_size_A: Float | None = None
    edge: NDArray[np.bool_] | None = None
    kind: tuple[str, ...] | None = None
    sign: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.micrograph)

    @classmethod
    def empty(cls, path: Path, format: str) -> PickTable:
        """Return the table of a file without picks."""
        return cls(path, format, (), np.zeros(0), np.zeros(0))

    def keep(self, chosen: NDArray[np.bool_]) -> PickTable:
        """Return the rows of a mask ``(n,)``."""
        if chosen.all():
            return self
        kept: dict[str, Any] = {}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                kept[name] = value[chosen]
            elif isinstance(value, tuple):
                kept[name] = tuple(compress(value, chosen.tolist()))
        return replace(self, **kept)

    @property
    def signs(self) -> NDArray[np.int8]:
        """``(n,)`` int8; in a file without signs every row is a particle."""
        return np.ones(len(self), np.int8) if self.sign is None else self.sign

    def of_sign(self, sign: int) -> PickTable:
        """Return the rows of one of the `signs`."""
        return self.keep(self.signs == sign)

    def rows_by_micrograph(self) -> dict[str, NDArray[np.int64]]:
        """Return the rows of each micrograph name, ascending, names in order of appearance."""
        index = {name: n for n, name in enumerate(dict.fromkeys(self.micrograph))}
        code = np.fromiter((index[m] for m in self.micrograph), np.int64, len(self))
        order = np.argsort(code, kind="stable")
        ends = np.cumsum(np.bincount(code, minlength=len(index)))
        return dict(zip(index, np.split(order, ends[:-1]), strict=True)) if index else {}

    def centres(self, rows: NDArray[np.int64], pixel_size_A: float | None) -> tuple[Float, Float]:
        """Return x and y of rows, re-centred by the alignment, in pixels, ``(m,)`` each.

        Parameters
        ----------
        rows
            ``(m,)`` int64.
        pixel_size_A
            Pixel size of the micrograph the coordinates belong to; needed only where a
            row has an alignment.

        Raises
        ------
        ValueError
            There is an alignment, and no pixel size.
        """
        x, y = self.x_px[rows], self.y_px[rows]
        if self.shift_A is None or not self.shift_A[rows].any():
            return x, y
        if pixel_size_A is None:
            raise ValueError("a pixel size is needed to re-centre aligned particles")
        shift = self.shift_A[rows] / pixel_size_A
        return x - shift[:, 0], y - shift[:, 1]


def shared_columns(where: str, tables: Sequence[PickTable]) -> dict[str, Any]:
    """Return the optional columns that all of the tables have, laid end to end, by name.

    One that only some have is left out, with a line in the log.

    Parameters
    ----------
    where
        What the line begins with: the list that names the files.
    tables
        Each with rows.
    """
    found = [table.optional() for table in tables]
    for name in OPTIONAL:
        without = sum(name not in one for one in found)
        if 0 < without < len(found):
            log.info(
                "%s: column %s is left out, %d of %d files with picks do not have it",
                where,
                name,
                without,
                len(found),
            )
    shared = [name for name in OPTIONAL if found and all(name in one for one in found)]
    return {name: np.concatenate([one[name] for one in found]) for name in shared}
