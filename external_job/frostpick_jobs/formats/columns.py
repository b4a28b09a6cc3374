"""Text columns into numbers, with an error that says where it went wrong."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError

log = logging.getLogger(__name__)

#: ``rlnAutopickFigureOfMerit`` of a pick that a person made (RELION), or that has none (crYOLO).
NONE_GIVEN = (-999.0, -9999.0)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d*)?(e[+-]?\d{1,2})?", re.I | re.A)
_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def finite_column(path: Path, name: str, values: Sequence[str]) -> NDArray[np.float64]:
    """Return text as finite float64, ``(n,)``.

    Raises
    ------
    InputError
        A value is no number, or not finite; the sentence names file, row and value.
    """
    try:
        numbers = _numbers(values)
        if np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    row, value = next((n, v) for n, v in enumerate(values, 1) if not _is_finite(v))
    raise InputError(f"{path}, row {row}: {name} is {value!r}, expected a finite number")


def optional_column(path: Path, name: str, values: Sequence[str]) -> NDArray[np.float64]:
    """Return text as float64, ``(n,)``, NaN where it is no finite number, which is counted.

    For columns that a row can do without.
    """
    try:
        numbers = _numbers(values)
    except ValueError:
        numbers = np.array([float(v) if _is_finite(v) else np.nan for v in values], np.float64)
    known = np.isfinite(numbers)
    _count_unknown(path, name, values, known, "finite")
    return np.where(known, numbers, np.nan)


def optional_whole_column(path: Path, name: str, values: Sequence[str]) -> NDArray[np.int64]:
    """Return text as int64, ``(n,)``, 0 where it is no whole number, which is counted.

    ``3.000`` counts as 3. For numbers from 1 that a row can do without.
    """
    numbers = np.array([float(v) if _is_finite(v) else np.nan for v in values], np.float64)
    known = (numbers == np.floor(numbers)) & (np.abs(numbers) < 2.0**53)
    _count_unknown(path, name, values, known, "whole")
    return np.where(known, numbers, 0.0).astype(np.int64)


def _count_unknown(
    path: Path, name: str, values: Sequence[str], known: NDArray[np.bool_], kind: str
) -> None:
    unknown = np.flatnonzero(~known)
    if len(unknown):
        log.warning(
            "%s: %s is no %s number in %d of %d rows, the first is row %d with %r; it counts "
            "as not given there",
            path,
            name,
            kind,
            len(unknown),
            len(values),
            unknown[0] + 1,
            values[unknown[0]],
        )


def known_merit(given: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return figures of merit with NaN where the number written stands for none."""
    return np.where(np.isin(given, NONE_GIVEN), np.nan, given)


def bool_column(path: Path, name: str, values: Sequence[str]) -> NDArray[np.bool_]:
    """Return text as bool, ``(n,)``: 1/0 (also as 1.0), true/false, yes/no in any case."""
    flags = [_WORDS.get(whole_number(v.strip()).lower()) for v in values]
    if None in flags:
        row = flags.index(None)
        raise InputError(f"{path}, row {row + 1}: {name} is {values[row]!r}, expected 1 or 0")
    return np.array(flags, np.bool_)


def sign_column(path: Path, name: str, values: Sequence[str]) -> NDArray[np.int8]:
    """Return text as int8, ``(n,)``: 1 for a particle, -1 for a place that is none."""
    plain = [whole_number(v.strip()) for v in values]
    row = next((n for n, v in enumerate(plain, 1) if v not in ("1", "-1")), None)
    if row is not None:
        raise InputError(
            f"{path}, row {row}: {name} is {values[row - 1]!r}, expected 1 for a particle or -1 "
            "for a place that is none"
        )
    return np.array(plain, np.int8)


def whole_number(value: str) -> str:
    """Return the text of an integer as it is written plainly: ``1`` for ``1.000000`` and ``01``.

    Tables that went through a program that knows floats alone spell them so. Other text comes
    back as it is.
    """
    if not _NUMBER.fullmatch(value):
        return value
    number = float(value)
    return str(int(number)) if number.is_integer() else value


def _numbers(values: Sequence[str]) -> NDArray[np.float64]:
    """Return text as float64; raises ValueError."""
    if "_" in "".join(values):
        raise ValueError("1_000 is 1000 to Python alone")
    return np.array([float(v) for v in values], np.float64)


def _is_finite(value: str) -> bool:
    try:
        return "_" not in value and math.isfinite(float(value))
    except ValueError:
        return False
