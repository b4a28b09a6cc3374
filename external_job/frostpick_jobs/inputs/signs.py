"""Labels of both signs: particles, and places that are none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import LabelError
from frostpick.points import first_within, nearest_distance
from frostpick_jobs.formats import PickTable

#: Part of the distance between labels that rounding is allowed: exactly so far apart both stay.
TIE = 1e-12

Parts = Sequence[tuple[PickTable, NDArray[np.int64]]]


def signs_of(parts: Parts) -> NDArray[np.int8]:
    """Return the `PickTable.signs` of rows of tables, ``(n,)``."""
    return np.concatenate([table.signs[rows] for table, rows in parts])


def single(
    xy: NDArray[np.float64], sign: NDArray[np.int8], distance_px: float
) -> NDArray[np.bool_]:
    """Return which labels ``(n, 2)`` stay: of those of one sign that are nearer, the first."""
    stay = np.zeros(len(xy), np.bool_)
    for one in (1, -1):
        at = np.flatnonzero(sign == one)
        stay[at] = first_within(xy[at], distance_px, TIE)
    return stay


def refuse_both_signs(
    micrograph_id: str,
    xy: NDArray[np.float64],
    sign: NDArray[np.int8],
    distance_px: float,
    parts: Parts,
) -> None:
    """Raise `LabelError` where one place is said to be a particle and to be none."""
    none = xy[sign < 0]
    both = nearest_distance(none, xy[sign > 0]) < distance_px
    if both.any():
        x, y = none[both][0]
        files = dict.fromkeys(str(table.path) for table, _ in parts)
        raise LabelError(
            f"{', '.join(files)}: {np.count_nonzero(both)} places of {micrograph_id} have both "
            f"signs, the first at ({x:.1f}, {y:.1f}); expected 1 for a particle or -1 for a place "
            "that is none: remove one of the two rows"
        )
