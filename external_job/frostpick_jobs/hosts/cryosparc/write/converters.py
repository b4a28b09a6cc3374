"""A pick's columns as CryoSPARC's fields: a table of converters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Picks
from frostpick_jobs.hosts.cryosparc.write.slots import FILAMENT, PICKS
from frostpick_jobs.hosts.cryosparc.write.uids import filament_uids

Values = NDArray[Any]
_TYPES = {field[0]: field[1] for field in (*PICKS, *FILAMENT)}


@dataclass(frozen=True)
class Exposure:
    """Where the picks of one micrograph go.

    Parameters
    ----------
    uid
        Of the exposure.
    shape
        Rows and columns of the micrograph.
    seed
        `uids.job_seed` of the job.
    flip_y
        Written for the image mirrored top to bottom.
    """

    uid: int
    shape: tuple[int, int]
    seed: int
    flip_y: bool


@dataclass(frozen=True)
class Converter:
    """One field of the dataset.

    Parameters
    ----------
    column
        Ours (`frostpick.pick_columns`). A field of an optional one is left out, or stays at
        its default where the output has it anyway, for picks that lack it.
    field
        Of the dataset.
    convert
        From our values on an exposure to those of the field.
    """

    column: str
    field: str
    convert: Callable[[Values, Exposure], Values]


def fields_of(picks: Picks, exposure: Exposure) -> dict[str, Values]:
    """Return the fields of the picks on an exposure, ``(n,)`` each, in their exact types."""
    present = picks.present()
    return {
        one.field: one.convert(present[one.column], exposure).astype(_TYPES[one.field], copy=False)
        for one in CONVERTERS
        if one.column in present
    }


def fraction(pixel: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Return position / size in single precision, so that it rounds back to the same pixel.

    Single precision moves a position by up to 3e-4 px. Where that would carry it over
    to another pixel, the pixel's centre is written.

    Parameters
    ----------
    pixel
        ``(n,)`` column or row.
    size
        Number of columns or rows.
    """
    pixel = np.asarray(pixel, np.float64)
    near = np.clip(np.floor(pixel + 0.5), 0, size - 1)
    exact = np.clip(pixel / size, 0.0, 1.0).astype(np.float32)
    back = np.rint(exact.astype(np.float64) * size)
    return np.where(back == near, exact, (near / size).astype(np.float32)).astype(np.float32)


def _x_fraction(x_px: Values, on: Exposure) -> Values:
    return fraction(x_px, on.shape[1])


def _y_fraction(y_px: Values, on: Exposure) -> Values:
    return fraction(on.shape[0] - 1 - y_px if on.flip_y else y_px, on.shape[0])


def _as_it_is(values: Values, on: Exposure) -> Values:
    return values


def _radians(angle_deg: Values, on: Exposure) -> Values:
    """Return the angle from x towards y, which turns the other way on a mirrored image."""
    return np.asarray(np.radians(0.0 - angle_deg if on.flip_y else angle_deg))


def _filament_uid(filament: Values, on: Exposure) -> Values:
    return filament_uids(on.seed, on.uid, filament)


#: In Inspect Picks the power is the score and the pick score the probability.
CONVERTERS = (
    Converter("x_px", "location/center_x_frac", _x_fraction),
    Converter("y_px", "location/center_y_frac", _y_fraction),
    Converter("probability", "pick_stats/ncc_score", _as_it_is),
    Converter("score", "pick_stats/power", _as_it_is),
    Converter("angle_deg", "pick_stats/angle_rad", _radians),
    Converter("angle_deg", "filament/filament_pose", _radians),
    Converter("filament", "filament/filament_uid", _filament_uid),
)
