"""The lines of a STAR file and what each of them is: the one tokenizer of all who read or copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from io import TextIOWrapper
from pathlib import Path

from frostpick.errors import InputError
from frostpick_jobs.formats.foreign import open_text

_TOKEN = re.compile(
    r"""[ \t\r\n\v\f]*(?:"(.*?)"(?=[ \t\r\n\v\f]|$)|'(.*?)'(?=[ \t\r\n\v\f]|$)|([^ \t\r\n\v\f]+))"""
)
_FILE_NAME = re.compile(r"/|\.(mrcs?|tiff?|eer|star|box)(\.gz|\.bz2)?$", re.I)
_MARK = "\ufeff"
#: What stands between values; a blank of another alphabet is part of a value.
_BLANKS = " \t\r\n\v\f"


class Line(Enum):
    """What a line of a STAR file is."""

    NOTHING = "blank or a comment"
    BLOCK = "data_NAME"
    LOOP = "loop_"
    LABEL = "a label of a loop"
    PAIR = "a label and its value"
    ROW = "the values of a row"


_ROW = Line.ROW  # looked up for every line


def star_lines(path: Path, *, copied: bool = False) -> Iterator[str]:
    """Give the lines of a text file whose bytes may be anything.

    Bytes that are no UTF-8 survive a round trip as lone surrogates. A line ends with
    LF, CR LF or CR.

    Parameters
    ----------
    copied
        Keep the line ends and the byte-order mark as they are, for who writes the lines again.

    Raises
    ------
    InputError
        The file cannot be read, or is a file of another kind (`open_text`).
    """
    coding, ends = ("utf-8", "") if copied else ("utf-8-sig", None)
    try:
        with TextIOWrapper(
            open_text(path), encoding=coding, errors="surrogateescape", newline=ends
        ) as handle:
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


def names_a_block(value: str) -> bool:
    """Tell ``data_NAME`` from a path such as ``data_2020/a.mrc``."""
    return value.startswith("data_") and _FILE_NAME.search(value) is None


class StarScanner:
    """Takes the lines of a file in order and tells of each what it is.

    Parameters
    ----------
    path
        The file, for messages.

    Attributes
    ----------
    block
        Name of the block without ``data_``; None before the first.
    table
        Number of the table from 0, -1 before the first. Each block is one, and each
        further loop inside a block.
    labels
        Labels of this table so far, without the underscore.
    loop
        Whether the table is a loop.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.block: str | None = None
        self.table = -1
        self.labels: list[str] = []
        self.loop = False
        self._in_rows = False

    def read(self, number: int, line: str) -> tuple[Line, list[str]]:
        """Return what line ``number`` is, and its values.

        Raises
        ------
        InputError
            The line is no STAR, a label is in its table twice, or a row has the wrong number
            of values.
        """
        if line.startswith(_MARK):  # of the file, or of a file that was joined to another
            line = line[1:]
        values = split_star_line(line)
        if self._in_rows and len(values) > 1:  # nearly all lines of a large file
            return (_ROW, values) if len(values) == len(self.labels) else self._row(number, values)
        if not values:
            return Line.NOTHING, values
        first = values[0]
        if len(values) == 1 and first.startswith("data_") and not self._is_file_name(first):
            self.block = first[5:]
            self._start_table(loop=False)
            return Line.BLOCK, values
        if self.block is None:
            raise InputError(
                f"{self._path}, line {number}: found {line.strip()[:40]!r} before any block; "
                "expected a STAR file, which starts with a line 'data_'"
            )
        if len(values) == 1 and first == "loop_":
            if self.labels:
                self._start_table(loop=True)
            self.loop = True
            return Line.LOOP, values
        is_label = line.lstrip(_BLANKS).startswith("_")
        if self.loop and not (is_label and not self._in_rows):
            return self._row(number, values)
        if not is_label:
            raise InputError(
                f"{self._path}, line {number}: found {line.strip()[:40]!r}, "
                "expected '_label value' or 'loop_'"
            )
        if not self.loop and len(values) != 2:
            raise InputError(
                f"{self._path}, line {number}: label {values[0]} with {len(values) - 1} values, "
                "expected one"
            )
        if self.loop and len(values) > 1 and values[1:] != [str(len(self.labels) + 1)]:
            # RELION takes it for a label, and the row would be lost.
            raise InputError(
                f"{self._path}, line {number}: label {first} of a loop with {len(values) - 1} "
                "values, expected none; a name that begins with _ needs quotes"
            )
        self._add_label(number, first[1:])
        return (Line.LABEL if self.loop else Line.PAIR), values

    def _row(self, number: int, values: list[str]) -> tuple[Line, list[str]]:
        if len(values) != len(self.labels):
            raise InputError(
                f"{self._path}, line {number}: {len(values)} values in a table of "
                f"{len(self.labels)} columns"
            )
        self._in_rows = True
        return Line.ROW, values

    def _add_label(self, number: int, label: str) -> None:
        if label in self.labels:
            # RELION refuses it too; read on, one of the two columns would be lost or taken
            # for another.
            raise InputError(
                f"{self._path}, line {number}: the label {label} is twice in block "
                f"'data_{self.block}'; expected it once: remove one of the two columns, with "
                "its values"
            )
        self.labels.append(label)

    def _start_table(self, *, loop: bool) -> None:
        self.table += 1
        self.labels, self.loop, self._in_rows = [], loop, False

    def _is_file_name(self, value: str) -> bool:
        """Tell a path such as ``data_2020/a.mrc`` in a table of one column from a new block."""
        return self.loop and len(self.labels) == 1 and not names_a_block(value)
