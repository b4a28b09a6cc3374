"""How a text format spells a pick's columns: each format is a table of converters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.pick_columns import OPTIONAL
from frostpick_jobs.formats.columns import optional_column, optional_whole_column

Values = NDArray[Any]


def as_it_is(values: Values) -> Values:
    """Return the values."""
    return values


def plus_zero(values: Values) -> Values:
    """Return the values with 0 for -0."""
    return np.asarray(values + 0.0)


@dataclass(frozen=True)
class Converter:
    """One column of a format.

    Parameters
    ----------
    column
        Ours (`frostpick.pick_columns`), whose values it holds; None for a column of which
        we know nothing. An optional column of ours that the picks lack is left out.
    name
        What the format calls it.
    form
        How a value is printed, with ``%``.
    write, read
        From our values to the format's, and back; ``read`` is None where nothing of ours
        is read from it.
    otherwise
        Text for every row where the picks lack our column, instead of leaving it out.
    """

    column: str | None
    name: str
    form: str = "%s"
    write: Callable[[Values], Values] = as_it_is
    read: Callable[[Values], Values] | None = None
    otherwise: str | None = None


def optional_names(table: Sequence[Converter]) -> dict[str, str]:
    """Return the format's name of every optional column of ours that is read from it."""
    return {column: one.name for column, one in _readable(table)}


def read_optional(
    path: Path, table: Sequence[Converter], text: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return our optional columns from a file's.

    Parameters
    ----------
    path
        The file, for messages.
    text
        Name in the file -> values as they stand there; others than ours may be among them.

    Returns
    -------
    dict
        Values by the name of our column; NaN, and 0 for whole numbers, where the file has
        no number, which is counted.
    """
    found = {}
    for column, one in _readable(table):
        if one.name in text and one.read is not None:
            whole = np.issubdtype(OPTIONAL[column], np.integer)
            parse = optional_whole_column if whole else optional_column
            found[column] = one.read(parse(path, one.name, text[one.name]))
    return found


def _readable(table: Sequence[Converter]) -> Iterator[tuple[str, Converter]]:
    for one in table:
        if one.column is not None and one.column in OPTIONAL and one.read is not None:
            yield one.column, one
