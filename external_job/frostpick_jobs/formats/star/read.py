"""Read STAR files: RELION's text tables, with every value kept as the text it was.

A small reader of our own, because names must survive byte for byte: a table reader
that guesses types turns the micrograph ``00012`` into the number 12.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from frostpick_jobs.formats.star.lines import Line, StarScanner, star_lines

_FLUSH = 50_000
_ROW = Line.ROW  # looked up for every line


@dataclass(frozen=True)
class StarTable:
    """One block of a STAR file.

    Parameters
    ----------
    name
        Block name without ``data_``; may be empty.
    columns
        Values by label (without the leading underscore), all of one length. The reader
        gives text; the writer takes text, numbers and arrays.
    loop
        False for a block of ``_label value`` pairs, which has one row.
    labels
        All labels that the file has in this block, read or not.
    number
        Which table of the file it is, from 0; see `StarScanner`.
    """

    name: str
    columns: dict[str, Any] = field(default_factory=dict)
    loop: bool = True
    labels: tuple[str, ...] = ()
    number: int = -1

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def read_star_blocks(path: Path, columns: Collection[str] | None = None) -> dict[str, StarTable]:
    """Read all blocks of a STAR file, values as text.

    Parameters
    ----------
    path
        The file. Empty gives no block.
    columns
        Keep only these labels (of those that are there), to save memory; None keeps all.

    Returns
    -------
    dict
        Blocks by name in the order of the file. A second block of the same name is
        found under ``NAME (2)``.

    Raises
    ------
    InputError
        The file cannot be read, is not STAR, has a label twice in one block, or a row has the
        wrong number of values.
    """
    parser = _Parser(path, None if columns is None else set(columns))
    for number, line in enumerate(star_lines(path), 1):
        parser.feed(number, line)
    return parser.finish()


class _Parser:
    """Takes lines; keeps the tables, and the rows of the one it is in."""

    def __init__(self, path: Path, wanted: set[str] | None) -> None:
        self._scanner = StarScanner(path)
        self._wanted = wanted
        self._tables: dict[str, StarTable] = {}
        self._number, self._name = -1, ""
        self._labels: list[str] = []
        self._loop = self._in_rows = False
        self._rows: list[Any] = []
        self._columns: dict[str, list[str]] = {}
        self._take: Any = tuple
        self._seen: dict[str, str] = {}

    def feed(self, number: int, line: str) -> None:
        scanner = self._scanner
        kind, values = scanner.read(number, line)
        if kind is _ROW:
            if not self._in_rows:
                self._start_rows()
            self._rows.append(self._take(values))
            if len(self._rows) >= _FLUSH:
                self._flush()
        elif kind is Line.PAIR:
            label = values[0][1:]
            if self._wanted is None or label in self._wanted:
                self._columns[label] = [values[1]]
        elif kind is Line.BLOCK or kind is Line.LOOP:
            if self._number != scanner.table:
                self._close()
                self._number, self._name = scanner.table, scanner.block or ""
            self._labels, self._loop = scanner.labels, scanner.loop

    def finish(self) -> dict[str, StarTable]:
        self._close()
        return self._tables

    def _start_rows(self) -> None:
        self._in_rows = True
        kept = [i for i, n in enumerate(self._labels) if self._wanted is None or n in self._wanted]
        self._columns = {self._labels[i]: [] for i in kept}
        if len(kept) == len(self._labels):
            self._take = tuple
        elif len(kept) == 1:
            only = kept[0]
            self._take = lambda values: (values[only],)
        else:
            self._take = itemgetter(*kept) if kept else lambda values: ()

    def _flush(self) -> None:
        for label, part in zip(self._columns, zip(*self._rows, strict=True), strict=False):
            # Names repeat by the thousand: one object each is enough.
            same = map(self._seen.setdefault, part, part) if label.endswith("Name") else part
            self._columns[label].extend(same)
        self._rows.clear()

    def _close(self) -> None:
        if self._number < 0:
            return
        if self._loop and not self._in_rows:
            self._start_rows()
        self._flush()
        if self._labels or self._name not in self._tables:
            key, count = self._name, 1
            while key in self._tables:
                count += 1
                key = f"{self._name} ({count})"
            self._tables[key] = StarTable(
                self._name, self._columns, self._loop, tuple(self._labels), self._number
            )
        self._columns, self._in_rows = {}, False
