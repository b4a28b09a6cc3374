"""How a text format spells a pick's columns: each format is a table of converters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.pick_columns import OPTIONAL
from frostpick.types import Picks
from frostpick_jobs.formats.columns import finite_column, whole_column

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


class RowWriter:
    """Writes the picks of many micrographs under one header, of the columns that they have.

    The first picks tell which optional columns there are, so the header is written with
    them, or by `close`. Micrographs without picks have no say.

    Parameters
    ----------
    write
        Takes text.
    table
        Of the format.
    header
        Gives the text before the first row, from the names of the columns.
    between
        Between two values of a row; a line break ends it.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        table: Sequence[Converter],
        header: Callable[[Sequence[str]], str],
        between: str,
    ) -> None:
        self._write, self._table, self._header, self._between = write, table, header, between
        self._optional: tuple[str, ...] | None = None

    def rows(self, picks: Picks, prefix: str = "") -> None:
        """Write the rows of one micrograph, each after ``prefix``.

        Raises
        ------
        ValueError
            They have other columns than the rows before.
        """
        if not len(picks):
            return
        found = picks.optional()
        if self._optional is None:
            self._begin(tuple(found))
        if self._optional != tuple(found):
            raise ValueError(
                f"{picks.micrograph_id}: its picks have the optional columns {tuple(found)}, "
                f"those of the micrographs before have {self._optional}"
            )
        forms, values = [], []
        present = picks.present()
        for one in self._used(found):
            if one.column in present:
                forms.append(one.form)
                values.append(one.write(present[one.column]).tolist())
            else:
                assert one.otherwise is not None
                forms.append(one.otherwise.replace("%", "%%"))
        row = prefix.replace("%", "%%") + self._between.join(forms) + "\n"
        self._write("".join([row % v for v in zip(*values, strict=True)]))

    def close(self) -> None:
        """Write the header if there were no rows."""
        if self._optional is None:
            self._begin(())

    def _begin(self, optional: tuple[str, ...]) -> None:
        self._optional = optional
        self._write(self._header([one.name for one in self._used(optional)]))

    def _used(self, optional: Sequence[str] | Mapping[str, Values]) -> Iterator[Converter]:
        for one in self._table:
            absent = one.column in OPTIONAL and one.column not in optional
            if not absent or one.otherwise is not None:
                yield one


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

    Raises
    ------
    InputError
        A value is no number, or no whole one where one belongs.
    """
    found = {}
    for column, one in _readable(table):
        if one.name in text and one.read is not None:
            whole = np.issubdtype(OPTIONAL[column], np.integer)
            parse = whole_column if whole else finite_column
            found[column] = one.read(parse(path, one.name, text[one.name]))
    return found


def _readable(table: Sequence[Converter]) -> Iterator[tuple[str, Converter]]:
    for one in table:
        if one.column is not None and one.column in OPTIONAL and one.read is not None:
            yield one.column, one
