"""Give the rows of a particles STAR file two more columns, and leave all else as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.runtime.atomic import atomic_write
from frostpick.types import Decisions
from frostpick_jobs.formats.star.lines import Line, value_spans
from frostpick_jobs.formats.star.rows import COPIED, check_rows, line_end, table_lines
from frostpick_jobs.formats.star.tables import particle_table

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
    table = particle_table(source)
    rows = len(next(iter(columns.values())))
    new = [label for label in columns if label not in table.labels]
    row = 0
    with atomic_write(target, "w", **COPIED) as out:
        for line, kind in table_lines(source, table):
            end = line_end(line)
            if kind is Line.ROW:
                if row == 0:
                    numbers = range(len(table.labels) + 1, len(table.labels) + len(new) + 1)
                    pairs = zip(numbers, new, strict=True)
                    out.write("".join(f"_{label} #{n}{end}" for n, label in pairs))
                # a row too many is counted on, for the message
                out.write(_row_with(line, table.labels, columns, row) if row < rows else line)
                row += 1
                continue
            if kind is Line.PAIR:
                line = _pair_with(line, columns)
                if row == 0:
                    line = line.rstrip("\r\n") + end
                    line += "".join(f"_{label} {columns[label][0]:.6f}{end}" for label in new)
                row = 1
            out.write(line)
        check_rows(source, row, rows)


def _row_with(
    line: str, labels: Sequence[str], columns: Mapping[str, NDArray[np.float64]], row: int
) -> str:
    """Return a row of a loop with its own values of the columns."""
    spans = value_spans(line)
    added = ""
    replaced: list[tuple[int, int, str]] = []
    for label, values in columns.items():
        text = f"{values[row]:12.6f}"
        if label in labels:
            replaced.append((*spans[labels.index(label)], text.strip()))
        else:
            added += f" {text}"
    line = line[: spans[-1][1]] + added + line[spans[-1][1] :]
    for start, stop, text in sorted(replaced, reverse=True):
        line = line[:start] + text + line[stop:]
    return line


def _pair_with(line: str, columns: Mapping[str, NDArray[np.float64]]) -> str:
    """Return a label and its value, with the value of the columns where they have that label."""
    label, value = value_spans(line)
    values = columns.get(line[slice(*label)].removeprefix("_"))
    return line if values is None else f"{line[: value[0]]}{values[0]:.6f}{line[value[1] :]}"
