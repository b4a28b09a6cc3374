"""What positions may mean that do not fit the images as they are given.

Programs differ in where y begins, converters exchange two columns, and picks made on binned
images are in pixels of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.float64]

#: Part of columns and rows that positions reach from pixel 0, beyond or below which their scale
#: is sought: chance leaves no such margin.
FILLED = (0.8, 1.0)
#: The reach of positions in the images that they were made on, and the steps between, by which a
#: particle at the far corner is met within a few pixels.
REACHED, STEP = (0.8, 1.01), 0.005
#: Powers of two, and what cameras and programs bin by as well.
BINNINGS = (2.0, 4.0, 0.5, 0.25, 3.0, 1 / 3, 1.5, 2 / 3)


@dataclass(frozen=True)
class Reading:
    """One meaning of positions.

    Parameters
    ----------
    kind
        As they are; with y from the other edge; with x and y exchanged; in other pixels.
    ratio
        Of ``scaled``: pixels of the images that the positions were made on, in pixels of the
        micrograph; 4 where those were binned by 4.
    """

    kind: Literal["given", "mirrored", "exchanged", "scaled"]
    ratio: float = 1.0

    def places(self, xy: Places, shape: tuple[int, int]) -> Places:
        """Return ``(n, 2)`` x and y in pixels of a micrograph of ``shape`` rows and columns."""
        if self.kind == "mirrored":
            return np.column_stack([xy[:, 0], shape[0] - 1 - xy[:, 1]])
        if self.kind == "exchanged":
            return np.ascontiguousarray(xy[:, ::-1])
        return xy * self.ratio


GIVEN, MIRRORED, EXCHANGED = Reading("given"), Reading("mirrored"), Reading("exchanged")
SCALED = tuple(Reading("scaled", ratio) for ratio in BINNINGS)


def filling(reach: float) -> list[Reading]:
    """Return the scales at which positions fill their micrographs, none where they do.

    Parameters
    ----------
    reach
        The largest part of columns or rows that a position reaches, counted from pixel 0.
    """
    if FILLED[0] <= reach <= FILLED[1] or reach <= 0:
        return []
    ratios = np.arange(REACHED[0], REACHED[1], STEP) / reach
    return [Reading("scaled", float(ratio)) for ratio in ratios]
