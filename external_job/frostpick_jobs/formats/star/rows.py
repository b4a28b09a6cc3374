"""Choose rows of a STAR file without touching any of its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.runtime.atomic import atomic_write
from frostpick_jobs.formats.star.lines import Line, StarScanner, star_lines, value_spans
from frostpick_jobs.formats.star.read import StarTable
from frostpick_jobs.formats.star.tables import particle_table

#: To write what `star_lines` gives for copying, byte for byte.
COPIED = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


def copy_rows(source: Path, target: Path, keep: NDArray[np.bool_]) -> None:
    """Write a particles STAR file with some of its rows, every other line as it is.

    Optics tables, comments, the order of columns and the text of every value stay byte
    for byte. Where the one particle of a block of label-value pairs is left out, the
    block becomes a loop without rows.

    Parameters
    ----------
    source
        A file that `frostpick_jobs.formats.star.particles.read_particles` has read.
    keep
        ``(n,)`` bool, one for each row of its particles.

    Raises
    ------
    InputError
        The file has another number of rows by now.
    """
    row = 0
    with atomic_write(target, "w", **COPIED) as out:
        for line, kind in table_lines(source, particle_table(source)):
            if kind is Line.ROW:
                kept = row < len(keep) and bool(keep[row])
                row += 1
                if not kept:
                    continue
            elif kind is Line.PAIR:
                if len(keep) == 1 and not keep[0]:
                    line = ("" if row else f"loop_{line_end(line)}") + _without_value(line)
                row = 1
            out.write(line)
        check_rows(source, row, len(keep))


def table_lines(source: Path, table: StarTable) -> Iterator[tuple[str, Line | None]]:
    """Give every line of a file as it is, and what it is where it belongs to the table."""
    scanner = StarScanner(source)
    for number, line in enumerate(star_lines(source, copied=True), 1):
        try:
            kind, _ = scanner.read(number, line)
        except InputError as error:  # it was read before
            changed = "the file was changed since the job began, run it again"
            raise InputError(f"{error}; {changed}") from error
        yield line, kind if scanner.table == table.number else None


def check_rows(source: Path, found: int, expected: int) -> None:
    """Raise `InputError` where a file has another number of particles than it had."""
    if found != expected:
        raise InputError(
            f"{source}: {found} particles, expected the {expected} that were there when the job "
            "began; run it again"
        )


def line_end(line: str) -> str:
    """Return the line end of a line, LF where it has none."""
    return line[len(line.rstrip("\r\n")) :] or "\n"


def _without_value(line: str) -> str:
    label, value = value_spans(line)
    return line[: label[1]] + line[value[1] :]
