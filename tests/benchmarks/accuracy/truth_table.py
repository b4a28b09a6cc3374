"""The truth of one split: what is where, as its CSV says, row by row."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

#: Other names of the columns.
ALIASES = {"micrograph": "image_name", "x_px": "x_coord", "y_px": "y_coord"}
PARTICLE = "particle"


@dataclass(frozen=True)
class TruthTable:
    """Objects of a split, one array a column.

    Parameters
    ----------
    row
        ``(n,)`` int64, 0-based row of the file, its header not counted.
    name
        ``(n,)`` text, micrograph without its extension.
    x_px, y_px
        ``(n,)`` column and row of the centre, 0-based pixel centres.
    rot, tilt
        ``(n,)`` degrees in RELION's convention; NaN where the file has none.
    edge
        ``(n,)`` bool, cut by the border: neither counted as a particle nor as a false pick.
    kind
        ``(n,)`` text: ``particle`` or what kind of decoy.
    """

    row: NDArray[np.int64]
    name: NDArray[np.str_]
    x_px: Float
    y_px: Float
    rot: Float
    tilt: Float
    edge: NDArray[np.bool_]
    kind: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.row)

    def keep(self, index: NDArray[Any]) -> TruthTable:
        """Return the rows of a mask or an index array."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def on(self, name: str) -> TruthTable:
        """Return the objects of one micrograph."""
        return self.keep(self.name == name)

    @property
    def particles(self) -> TruthTable:
        """What a picker should find, cut ones included."""
        return self.keep(self.kind == PARTICLE)

    @property
    def decoys(self) -> TruthTable:
        """What was drawn to mislead."""
        return self.keep(self.kind != PARTICLE)

    @property
    def drawable(self) -> TruthTable:
        """Particles that a label may be drawn from: whole ones."""
        return self.keep((self.kind == PARTICLE) & ~self.edge)


def read_truth(path: Path, shape: tuple[int, int], diameter_px: float) -> TruthTable:
    """Read a CSV of true positions; cut particles are found where no column tells them.

    Parameters
    ----------
    path
        Columns image_name (or micrograph), x_coord (x_px), y_coord (y_px), and where known
        rot, tilt, edge, kind.
    shape, diameter_px
        Of the micrographs and of the particle, in pixels.
    """
    with path.open(encoding="utf-8", newline="") as handle:
        rows = [{ALIASES.get(k, k): v for k, v in row.items()} for row in csv.DictReader(handle)]

    def column(name: str) -> Float:
        return np.array([row.get(name) or "nan" for row in rows], np.float64)

    x, y = column("x_coord"), column("y_coord")
    if rows and "edge" in rows[0]:
        edge = column("edge") > 0
    else:
        border = np.minimum.reduce([x, y, shape[1] - 1 - x, shape[0] - 1 - y])
        edge = border < diameter_px / 2
    return TruthTable(
        np.arange(len(rows)),
        np.array([row["image_name"].removesuffix(".mrc") for row in rows], np.str_),
        x,
        y,
        column("rot"),
        column("tilt"),
        edge,
        np.array([row.get("kind", PARTICLE) for row in rows], np.str_),
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
