"""Read EMAN1 ``.box`` files: one box a line, ``x y width height``."""

from __future__ import annotations

from pathlib import Path

from frostpick.errors import InputError
from frostpick_jobs.formats.columns import finite_column
from frostpick_jobs.formats.pick_table import PickTable
from frostpick_jobs.formats.star.lines import star_lines


def read_box(path: Path, micrograph: str) -> PickTable:
    """Read the boxes of one micrograph; more values in a line are ignored.

    A box is given by its corner, the pixel of lowest column and row, and its size ``n``.
    Its particle is on pixel ``corner + n // 2``, as EMAN cuts it and RELION 3.1.3 reads it:
    the middle of an odd box, and half a pixel beyond the middle of an even one.

    Raises
    ------
    InputError
        A line has fewer than four values, or one that is no number.
    """
    rows = []
    for number, line in enumerate(star_lines(path), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        values = _values(line)
        if len(values) < 4:
            raise InputError(
                f"{path}, line {number}: {len(values)} values, expected x y width height"
            )
        rows.append(values[:4])
    if not rows:
        return PickTable.empty(path, "box")
    x, y, width, height = (
        finite_column(path, name, column)
        for name, column in zip(("x", "y", "width", "height"), zip(*rows, strict=True), strict=True)
    )
    return PickTable(path, "box", (micrograph,) * len(rows), x + width // 2, y + height // 2)


def _values(line: str) -> list[str]:
    """Split at commas where there are any: ``10,5 20,5`` is no ``10 5 20 5``."""
    return [v.strip() for v in line.split(",")] if "," in line else line.split()
