"""Write the rows of picks under one header, as a format's table of converters says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from frostpick.pick_columns import OPTIONAL
from frostpick.types import Picks
from frostpick_jobs.formats.converters import Converter


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

    def _used(self, optional: Collection[str]) -> Iterator[Converter]:
        for one in self._table:
            absent = one.column in OPTIONAL and one.column not in optional
            if not absent or one.otherwise is not None:
                yield one
