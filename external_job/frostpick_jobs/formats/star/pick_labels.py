"""A pick's columns under RELION's labels.

A filament's direction is the prior of psi, which RELION turns the other way: for the tube from
(100, 100) to (400, 250) `relion_helix_toolbox` 3.1.3 writes -26.565, and ``atan2(150, 300)`` is
26.565 degrees. Beside it belong the number of the tube and the prior of tilt, 90 degrees for
a filament that lies in the plane of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick_jobs.formats.converters import Converter, as_it_is

Values = NDArray[Any]
_LARGEST_FOM = 999.0


def whole(position: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return ``floor(position + 0.5)``: RELION truncates."""
    return np.floor(position + 0.5).astype(np.int64)


def finite(score: Values) -> Values:
    """Return scores without those that RELION would read as 0: infinite ones, and NaN."""
    return np.nan_to_num(score, nan=-_LARGEST_FOM, posinf=_LARGEST_FOM, neginf=-_LARGEST_FOM)


def turned(angle_deg: Values) -> Values:
    """Return angles that are measured the other way round; 0 stays 0."""
    return np.asarray(0.0 - angle_deg)


def turned_or_zero(angle_deg: Values) -> Values:
    """Return `turned` angles, 0 where none is known: RELION has no sign for that."""
    return np.nan_to_num(turned(angle_deg))


def in_plane(rows: Values) -> Values:
    """Return a tilt of 90 degrees for every row."""
    return np.full(len(rows), 90.0)


#: Class and psi are there, as RELION's own pickers write them, for its JoinStar.
STAR = (
    Converter("x_px", "rlnCoordinateX", "%6d.000000", whole),
    Converter("y_px", "rlnCoordinateY", "%6d.000000", whole),
    Converter("score", "rlnAutopickFigureOfMerit", "%12.6f", finite),
    Converter(None, "rlnClassNumber", otherwise="0"),
    Converter("angle_deg", "rlnAnglePsi", "%12.6f", turned_or_zero, otherwise="0.000000"),
    Converter("filament", "rlnHelicalTubeID", "%6d", read=as_it_is),
    Converter("filament", "rlnAngleTiltPrior", "%12.6f", in_plane),
    Converter("angle_deg", "rlnAnglePsiPrior", "%12.6f", turned_or_zero, turned),
)


def optional_labels(optional: Mapping[str, Values]) -> dict[str, Values]:
    """Return optional columns of picks, given by our names, by RELION's labels."""
    return {
        one.name: one.write(optional[one.column])
        for one in STAR
        if one.column is not None and one.column in optional
    }
