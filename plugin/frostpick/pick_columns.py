"""The columns of a pick, each declared once: its name, its type, and whether it may be absent.

A column that every pick has is a field of its class (`frostpick.types.Picks`,
`frostpick.picking.peaks.Peaks`). One that only some pickers fill is a field of
`OptionalColumns`, and so of every table that picks pass through. It travels from peaks to
picks, the store keeps it, and a format that has a place for it says in its own table of
converters what it is called there. So a new one is a line here and a converter a format.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

T = TypeVar("T", bound="PickColumns")
Values = NDArray[Any]


def typed(dtype: DTypeLike) -> Mapping[str, Any]:
    """Return the metadata that make a field of a table a column: one value a row, of a type."""
    return {"dtype": np.dtype(dtype)}


@dataclass(frozen=True, kw_only=True)
class OptionalColumns:
    """Columns that only some pickers fill: None, or a value for every row.

    Parameters
    ----------
    filament
        ``(n,)`` int64, number of the filament that the pick lies on, from 1: picks of one
        micrograph with the same number lie on one filament.
    angle_deg
        ``(n,)`` float64, direction of the pick in the image in degrees: the angle from the
        x axis (rising columns) towards the y axis (rising rows), ``atan2(dy, dx)``. Along a
        filament, whose two ends look alike, directions 180 degrees apart are the same.
    """

    filament: NDArray[np.int64] | None = field(default=None, metadata=typed(np.int64))
    angle_deg: NDArray[np.float64] | None = field(default=None, metadata=typed(np.float64))

    @abstractmethod
    def __len__(self) -> int: ...

    def optional(self) -> dict[str, Values]:
        """Return the optional columns that are present, by name."""
        found = {name: getattr(self, name) for name in OPTIONAL}
        return {name: values for name, values in found.items() if values is not None}


#: The optional columns and their types.
OPTIONAL: Mapping[str, np.dtype[Any]] = {
    f.name: f.metadata["dtype"] for f in fields(OptionalColumns)
}


@dataclass(frozen=True)
class PickColumns(OptionalColumns):
    """A table of picks as one array a column; what is done to its rows is done to all of them."""

    @classmethod
    def types(cls) -> dict[str, np.dtype[Any]]:
        """Return the type of every column that there may be, by name."""
        return {f.name: f.metadata["dtype"] for f in fields(cls) if "dtype" in f.metadata}

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the names of the columns that are always there."""
        return tuple(name for name in cls.types() if name not in OPTIONAL)

    def present(self) -> dict[str, Values]:
        """Return the columns that are there, by name."""
        return {name: getattr(self, name) for name in self.columns()} | self.optional()

    def keep(self: T, index: ArrayLike) -> T:
        """Return the rows of a mask or of an index array, in that order."""
        at = np.asarray(index)
        return replace(self, **{name: values[at] for name, values in self.present().items()})


def join_optional(parts: Sequence[OptionalColumns]) -> dict[str, Values]:
    """Return the optional columns of tables laid end to end, by name.

    A table without rows has no say in which columns there are.

    Raises
    ------
    ValueError
        A column is in some of the tables only.
    """
    filled = [part for part in parts if len(part)]
    if not filled:
        return dict(parts[0].optional()) if parts else {}
    found = [part.optional() for part in filled]
    for name in OPTIONAL:
        if len({name in one for one in found}) > 1:
            raise ValueError(f"column {name} is in some of {len(filled)} tables of picks only")
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}
