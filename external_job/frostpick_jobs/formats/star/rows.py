"""Choose rows of a STAR file without touching any of its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.runtime.atomic import atomic_write
from frostpick_jobs.formats.star.read import split_star_line

#: Blocks whose rows are particles, the first that is there.
PARTICLE_BLOCKS = ("particles", "images", "")


def copy_rows(source: Path, target: Path, keep: NDArray[np.bool_]) -> None:
    """Write a particles STAR file with some of its rows, every other line as it is.

    Optics tables, comments, the order of columns and the text of every value stay byte
    for byte.

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
    block = particle_block(source)
    with open(source, "rb") as lines, atomic_write(target) as out:
        row = _copy(lines, out, block, keep)
    if row != len(keep):
        raise InputError(
            f"{source}: {row} particles, expected the {len(keep)} that were there when the job "
            "began; run it again"
        )


def particle_block(path: Path) -> str:
    """Return the name of the block with the particles."""
    names = []
    with open(path, "rb") as lines:
        for line in lines:
            if line.startswith(b"data_"):
                names.append(line.decode("utf-8", "surrogateescape").split()[0][5:])
    for name in PARTICLE_BLOCKS:
        if name in names:
            return name
    raise InputError(
        f"{path}: blocks {', '.join(names) or 'none'}; expected a particles STAR file with a "
        "block 'data_particles'"
    )


def _copy(lines: IO[bytes], out: IO[bytes], block: str, keep: NDArray[np.bool_]) -> int:
    """Copy, leaving out rows that are not kept; return how many rows there are."""
    here = labelled = False
    row = 0
    for line in lines:
        values = split_star_line(line.decode("utf-8-sig", "surrogateescape"))
        if len(values) == 1 and values[0].startswith("data_"):
            here, labelled = values[0][5:] == block and row == 0, False
        elif here and values and values[0].startswith("_") and line.lstrip()[:1] == b"_":
            labelled = True
        elif here and labelled and values:
            kept = row < len(keep) and bool(keep[row])
            row += 1
            if not kept:
                continue
        out.write(line)
    return row
