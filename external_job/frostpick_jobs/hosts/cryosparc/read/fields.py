"""Fields of a CryoSPARC data set as arrays: what is missing, or is no number, is told by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError

Floats = NDArray[np.float64]
#: Fractions that lie so far outside the image that no rounding put them there.
FAR_OUTSIDE = 0.5


def needed(part: Any, name: str) -> NDArray[Any]:
    """Return a field of a data set as it is; `InputError` where the data set has none."""
    if name not in part.fields():
        raise InputError(
            f"the particles have no field {name}; expected a data set as picking or extraction "
            f"writes it: connect another output, or give the slot {name.split('/')[0]}"
        )
    return np.asarray(part[name])


def numbers(part: Any, name: str) -> Floats:
    """Return an optional field ``(n, ...)``; 0, which stands for none, where it is no number."""
    if name not in part.fields():
        return np.zeros(len(part))
    return np.nan_to_num(np.asarray(part[name]).astype(np.float64), posinf=0.0, neginf=0.0)


def texts(values: Any) -> NDArray[np.object_]:
    """Return text, which scripts write as bytes too, and None for none; ``(n,)`` str."""
    found = np.empty(len(values), object)
    found[:] = [_text(value) for value in values]
    return found


def places(part: Any, rows: NDArray[np.int64], shape: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Return x and y of some particles in pixels, ``(m,)`` each.

    Parameters
    ----------
    rows
        ``(m,)`` int64.
    shape
        ``(m, 2)`` rows and columns of the image of each.

    Raises
    ------
    InputError
        A fraction is no number, or most are of no image: they are pixels perhaps.
    """
    found = []
    for axis, name in ((1, "location/center_x_frac"), (0, "location/center_y_frac")):
        fraction = needed(part, name).astype(np.float64)[rows]
        bad = np.flatnonzero(~np.isfinite(fraction))
        if len(bad):
            uid = int(np.asarray(part["uid"])[rows[bad[0]]])
            raise InputError(
                f"particle {uid}: {name} is {fraction[bad[0]]:g} ({len(bad)} of {len(rows)} "
                "particles); expected a fraction of the micrograph: remove these particles, or "
                "pick them again"
            )
        off = np.abs(fraction - 0.5) > 0.5 + FAR_OUTSIDE
        if off.sum() > len(rows) / 2:
            raise InputError(
                f"{name} is {fraction.min():g} to {fraction.max():g}; expected fractions of the "
                "micrograph from 0 to 1: where a script wrote pixels, divide them by its size"
            )
        found.append(fraction * shape[:, axis])
    return found[0], found[1]


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return "" if value is None else str(value)
