"""Text columns into numbers, with an error that says where it went wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError

#: ``rlnAutopickFigureOfMerit`` of a pick that a person made (RELION), or that has none (crYOLO).
NONE_GIVEN = (-999.0, -9999.0)
_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def finite_column(path: Path, name: str, values: Sequence[str]) -> NDArray[np.float64]:
    """Return text as finite float64, ``(n,)``.

    Raises
    ------
    InputError
        A value is no number, or not finite; the sentence names file, row and value.
    """
    try:
        numbers = np.array([float(v) for v in values], np.float64)
        if np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    row, value = next((n, v) for n, v in enumerate(values, 1) if not _is_finite(v))
    raise InputError(f"{path}, row {row}: {name} is {value!r}, expected a finite number")


def whole_column(path: Path, name: str, values: Sequence[str]) -> NDArray[np.int64]:
    """Return text as int64, ``(n,)``; ``3.000`` counts as 3.

    Raises
    ------
    InputError
        A value is no whole number; the sentence names file, row and value.
    """
    numbers = finite_column(path, name, values)
    broken = np.flatnonzero((numbers != np.floor(numbers)) | (np.abs(numbers) >= 2.0**53))
    if len(broken):
        row = int(broken[0])
        raise InputError(
            f"{path}, row {row + 1}: {name} is {values[row]!r}, expected a whole number"
        )
    return numbers.astype(np.int64)


def number_or_nan(values: Sequence[str]) -> NDArray[np.float64]:
    """Return text as float64, ``(n,)``, NaN where it is no number."""
    return np.array([float(v) if _is_finite(v) else np.nan for v in values], np.float64)


def known_merit(given: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return figures of merit with NaN where the number written stands for none."""
    return np.where(np.isin(given, NONE_GIVEN), np.nan, given)


def bool_column(path: Path, name: str, values: Sequence[str]) -> NDArray[np.bool_]:
    """Return text as bool, ``(n,)``: 1/0, true/false, yes/no in any case."""
    flags = [_WORDS.get(v.strip().lower()) for v in values]
    if None in flags:
        row = flags.index(None)
        raise InputError(f"{path}, row {row + 1}: {name} is {values[row]!r}, expected 1 or 0")
    return np.array(flags, np.bool_)


def _is_finite(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False
