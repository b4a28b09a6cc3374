"""Give the rows of a particles STAR file two more columns, and leave all else as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.runtime.atomic import atomic_write
from frostpick.types import Decisions
from frostpick_jobs.formats.star.read import split_star_line, value_spans
from frostpick_jobs.formats.star.rows import particle_block

#: Native labels of every generation, so that Subset selection and its display can sort
#: and cut by them. As of a Z score, a high spread is that of a doubtful particle.
SCORE, SPREAD = "rlnAutopickFigureOfMerit", "rlnParticleSelectZScore"
#: What a row without a score gets, its image unread or its centre off it: last by either.
WORST_SCORE, WORST_SPREAD = -999.0, 999.0


def score_columns(decisions: Decisions) -> dict[str, NDArray[np.float64]]:
    """Return score and spread of every row under their RELION labels, finite."""
    unread = ~np.isfinite(decisions.score)
    return {
        SCORE: np.where(unread, WORST_SCORE, decisions.score),
        SPREAD: np.where(unread | ~np.isfinite(decisions.spread), WORST_SPREAD, decisions.spread),
    }


def write_with_columns(
    source: Path, target: Path, columns: Mapping[str, NDArray[np.float64]]
) -> None:
    """Write a particles STAR file with every row, and with columns set or appended.

    Lines outside the particles, the order of rows and the text of all other values stay
    byte for byte. A label that the table has already keeps its place and gets new values.

    Parameters
    ----------
    source
        A file that `frostpick_jobs.formats.star.particles.read_particles` has read.
    columns
        Label without underscore -> ``(n,)`` float64, one for each row of its particles.

    Raises
    ------
    InputError
        The file has another number of rows by now.
    """
    block = particle_block(source)
    rows = len(next(iter(columns.values())))
    with open(source, "rb") as lines, atomic_write(target) as out:
        table = _Table(block, columns, rows)
        for line in lines:
            text = line.decode("utf-8", "surrogateescape")
            for written in table.feed(text):
                out.write(written.encode("utf-8", "surrogateescape"))
        if table.row != rows:
            raise InputError(
                f"{source}: {table.row} particles, expected the {rows} that were there when the "
                "job began; run it again"
            )


class _Table:
    """Takes lines of a STAR file and gives those to write instead."""

    def __init__(self, block: str, columns: Mapping[str, NDArray[np.float64]], rows: int) -> None:
        self._block, self._columns, self._rows = block, columns, rows
        self._here = self._in_rows = False
        self._labels: list[str] = []
        self.row = 0

    def feed(self, line: str) -> Iterator[str]:
        values = split_star_line(line.removeprefix("\ufeff"))
        if len(values) == 1 and values[0].startswith("data_") and not self._in_a_path(values[0]):
            self._here = values[0][5:] == self._block and self.row == 0
            self._in_rows, self._labels = False, []
        elif self._here and not self._in_rows and line.lstrip().startswith("_"):
            self._labels.append(values[0][1:])
        elif self._here and self._labels and values:
            if not self._in_rows:
                yield from self._new_labels("\r\n" if line.endswith("\r\n") else "\n")
                self._in_rows = True
            yield self._with_values(line)
            self.row += 1
            return
        yield line

    def _in_a_path(self, value: str) -> bool:
        """Tell an image such as ``data_2020/a.mrc`` in a table of one column from a block."""
        return self._here and len(self._labels) == 1 and "/" in value

    def _new_labels(self, end: str) -> Iterator[str]:
        new = [label for label in self._columns if label not in self._labels]
        for number, label in enumerate(new, len(self._labels) + 1):
            yield f"_{label} #{number}{end}"

    def _with_values(self, line: str) -> str:
        if self.row >= self._rows:  # counted on, for the message
            return line
        spans = value_spans(line)
        if len(spans) != len(self._labels):
            raise InputError(
                f"a row of {len(spans)} values in a table of {len(self._labels)} columns; the "
                "file was changed since the job began, run it again"
            )
        end = spans[-1][1]
        added = ""
        replaced: list[tuple[int, int, str]] = []
        for label, values in self._columns.items():
            text = f"{values[self.row]:12.6f}"
            if label in self._labels:
                replaced.append((*spans[self._labels.index(label)], text.strip()))
            else:
                added += f" {text}"
        line = line[:end] + added + line[end:]
        for start, stop, text in sorted(replaced, reverse=True):
            line = line[:start] + text + line[stop:]
        return line
