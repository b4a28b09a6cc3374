"""Names that settings had before: taken until 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from frostpick.settings.field import about, names_before


def old_names(kind: type[BaseModel]) -> dict[str, str]:
    """Return name of before -> name of today, for the settings of a class that had another."""
    return {old: name for name, info in kind.model_fields.items() for old in names_before(info)}


def told_of(old: str, new: str) -> str:
    """Return what a user of a name of before is told."""
    return f"{old!r} is called {new!r} now; the old name goes with version 2.0"


def renamed(
    kind: type[BaseModel], old: str, values: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the name of today of a setting, and values with it in place of the old one.

    Parameters
    ----------
    old
        A name of before that ``values`` has; a value under the new name beside it wins.
    """
    new, left = old_names(kind)[old], dict(values)
    value = left.pop(old)
    times = about(kind.model_fields[new]).was_times
    if times != 1 and value is not None:
        try:
            value = times * int(str(value))
        except ValueError:
            pass  # refused with the other wrong values
    return new, left if left.get(new) is not None else {**left, new: value}


def names_of_today(values: Mapping[str, Any], *kinds: type[BaseModel]) -> dict[str, Any]:
    """Return settings that were kept by names of before, by those that the classes have today."""
    found = dict(values)
    for kind in kinds:
        for old in old_names(kind):
            if old in found:
                found = renamed(kind, old, found)[1]
    return found
