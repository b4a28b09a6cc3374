"""Read STAR files: RELION's text tables, with every value kept as the text it was.

A small reader of our own, because names must survive byte for byte: a table reader
that guesses types turns the micrograph ``00012`` into the number 12.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from frostpick.errors import InputError

_TOKEN = re.compile(
    r"""[ \t\r\n\v\f]*(?:"(.*?)"(?=[ \t\r\n\v\f]|$)|'(.*?)'(?=[ \t\r\n\v\f]|$)|([^ \t\r\n\v\f]+))"""
)
_FILE_NAME = re.compile(r"/|\.(mrcs?|tiff?)(\.gz|\.bz2)?$", re.I)
_FLUSH = 50_000


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
    """

    name: str
    columns: dict[str, Any] = field(default_factory=dict)
    loop: bool = True
    labels: tuple[str, ...] = ()

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
        The file cannot be read, is not STAR, or a row has the wrong number of values.
    """
    parser = _Parser(path, None if columns is None else set(columns))
    for number, line in enumerate(star_lines(path), 1):
        parser.feed(number, line)
    return parser.finish()


def star_lines(path: Path) -> Iterator[str]:
    """Give the lines of a text file whose bytes may be anything; see `read_star_blocks`."""
    try:
        # Bytes that are no UTF-8 survive a round trip as lone surrogates.
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as handle:
            yield from handle
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def split_star_line(line: str) -> list[str]:
    """Split a line into its values: quotes removed, the comment at its end left out."""
    if '"' not in line and "'" not in line and "#" not in line and line.isascii():
        return line.split()
    values = []
    for match in _TOKEN.finditer(line):
        double, single, plain = match.groups()
        if plain is not None:
            if plain.startswith("#"):
                break
            values.append(plain)
        else:
            values.append(double if double is not None else single)
    return values


def value_spans(line: str) -> list[tuple[int, int]]:
    """Return where the values of a line stand, quotes included, its comment left out."""
    spans = []
    for match in _TOKEN.finditer(line):
        plain = match.group(3)
        if plain is not None and plain.startswith("#"):
            break
        if plain is not None:
            spans.append(match.span(3))
        else:
            group = 1 if match.group(1) is not None else 2
            start, stop = match.span(group)
            spans.append((start - 1, stop + 1))
    return spans


class _Parser:
    """Takes lines; knows the block it is in, the labels of its loop, and the rows so far."""

    def __init__(self, path: Path, wanted: set[str] | None) -> None:
        self._path = path
        self._wanted = wanted
        self._tables: dict[str, StarTable] = {}
        self._name: str | None = None
        self._labels: list[str] = []
        self._loop = self._in_rows = False
        self._rows: list[Any] = []
        self._columns: dict[str, list[str]] = {}
        self._take: Any = tuple
        self._seen: dict[str, str] = {}

    def feed(self, number: int, line: str) -> None:
        values = split_star_line(line)
        if not values:
            return
        first = values[0]
        if len(values) == 1 and first.startswith("data_") and not self._is_file_name(first):
            self._close()
            self._name = first[5:]
        elif self._name is None:
            raise InputError(
                f"{self._path}, line {number}: found {line.strip()[:40]!r} before any block; "
                "expected a STAR file, which starts with a line 'data_'"
            )
        elif len(values) == 1 and first == "loop_":
            if self._labels:
                name = self._name
                self._close()
                self._name = name
            self._loop = True
        elif self._loop and not self._in_rows and _is_label(line):
            self._labels.append(first[1:])
        elif self._loop:
            self._row(number, values)
        elif _is_label(line):
            self._pair(number, values)
        else:
            raise InputError(
                f"{self._path}, line {number}: found {line.strip()[:40]!r}, "
                "expected '_label value' or 'loop_'"
            )

    def _is_file_name(self, value: str) -> bool:
        """Tell a path such as ``data_2020/a.mrc`` in a table of one column from a new block."""
        return self._loop and len(self._labels) == 1 and _FILE_NAME.search(value) is not None

    def finish(self) -> dict[str, StarTable]:
        self._close()
        return self._tables

    def _row(self, number: int, values: list[str]) -> None:
        if len(values) != len(self._labels):
            raise InputError(
                f"{self._path}, line {number}: {len(values)} values in a table of "
                f"{len(self._labels)} columns"
            )
        if not self._in_rows:
            self._start_rows()
        self._rows.append(self._take(values))
        if len(self._rows) >= _FLUSH:
            self._flush()

    def _pair(self, number: int, values: list[str]) -> None:
        if len(values) != 2:
            raise InputError(
                f"{self._path}, line {number}: label {values[0]} with {len(values) - 1} values, "
                "expected one"
            )
        label = values[0][1:]
        self._labels.append(label)
        if self._wanted is None or label in self._wanted:
            self._columns[label] = [values[1]]

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
        if self._name is None:
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
                self._name, self._columns, self._loop, tuple(self._labels)
            )
        self._name, self._labels, self._columns = None, [], {}
        self._loop = self._in_rows = False


def _is_label(line: str) -> bool:
    return line.lstrip().startswith("_")
