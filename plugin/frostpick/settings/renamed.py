"""Names that settings had before: taken until 2.0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from frostpick.settings.field import about, names_before


def old_names(kind: type[BaseModel]) -> dict[str, str]:
    """Return name of before -> name of today, for the settings of a class that had another."""
    return {old: name for name, info in kind.model_fields.items() for old in names_before(info)}


def told_of(old: str, new: str, times: int = 1) -> str:
    """Return what a user of a name of before is told; ``times`` is that of its number."""
    number = "" if times == 1 else f", and 1 is {times} there"
    return f"{old!r} is called {new!r} now{number}; the old name goes with version 2.0"


def told_of_setting(kind: type[BaseModel], old: str) -> str:
    """Return what a user of the name of before of a setting is told."""
    new = old_names(kind)[old]
    return told_of(old, new, about(kind.model_fields[new]).was_times)


def both_names(old: str, new: str) -> str:
    """Return what a user of both names is told."""
    return f"{old!r} is the old name of {new!r}; give one of the two"


def renamed(kind: type[BaseModel], old: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with the name of today of a setting in place of the old one.

    Parameters
    ----------
    old
        A name of before that ``values`` has; a value under the new name beside it stays.
    """
    new, left = old_names(kind)[old], dict(values)
    value = left.pop(old)
    times = about(kind.model_fields[new]).was_times
    if times != 1 and value is not None:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if number.is_integer():  # others are refused with the wrong values
            value = times * int(number)
    return left if left.get(new) is not None else {**left, new: value}


def names_of_today(values: Mapping[str, Any], *kinds: type[BaseModel]) -> dict[str, Any]:
    """Return settings that were kept by names of before, by those that the classes have today."""
    found = dict(values)
    for kind in kinds:
        for old in old_names(kind):
            if old in found:
                found = renamed(kind, old, found)
    return found
