"""What is where on a simulated micrograph."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTICLE = "particle"
DECOYS = ("fragment", "aggregate", "speck", "ice_crystal", "free_micelle")
#: Values of the junk mask.
MASK_LABELS = {
    "background": 0,
    "ice_crystal": 1,
    "carbon": 2,
    "aggregate": 3,
    "fragment": 4,
    "speck": 5,
    "free_micelle": 6,
}


@dataclass(frozen=True)
class SimulatedTruth:
    """Everything that was drawn, one array a column; particles first.

    Parameters
    ----------
    x_px, y_px
        ``(n,)`` float64, column and row of the centre of mass, 0-based pixel centres.
    rot, tilt, psi
        ``(n,)`` float64 degrees, RELION's convention; 0 where an object has none.
    edge
        ``(n,)`` bool, the circle of one particle diameter around it crosses the border.
    kind
        ``(n,)`` text: ``particle``, or a decoy: ``fragment``, ``aggregate``, ``speck``,
        ``ice_crystal``, ``free_micelle``.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    rot: NDArray[np.float64]
    tilt: NDArray[np.float64]
    psi: NDArray[np.float64]
    edge: NDArray[np.bool_]
    kind: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.x_px)

    def keep(self, index: NDArray[Any]) -> SimulatedTruth:
        """Return the rows of a mask or an index array."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @property
    def particles(self) -> SimulatedTruth:
        """The rows that a picker should find."""
        return self.keep(self.kind == PARTICLE)
