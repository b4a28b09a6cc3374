"""Write picks: CSV, one STAR list, and RELION's file of one micrograph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.runtime.atomic import atomic_write
from frostpick.types import Picks
from frostpick_jobs.formats.star.write import TEXT, star_header, star_value

CSV_HEADER = "micrograph,x_px,y_px,score,probability,selected"
STAR_LABELS = (
    "rlnCoordinateX",
    "rlnCoordinateY",
    "rlnAutopickFigureOfMerit",
    "rlnClassNumber",
    "rlnAnglePsi",
)
Shape = tuple[int, int]
_LARGEST_FOM = 999.0


@contextmanager
def csv_writer(path: Path) -> Iterator[Callable[[Picks], None]]:
    """Write all picks of many micrographs: the block calls what it is given for each.

    Coordinates with 3 decimals, score and probability with 5 significant digits,
    ``selected`` as 1 or 0. The file is there when the block has ended well.
    """
    with atomic_write(path, "w", **TEXT) as handle:
        handle.write(CSV_HEADER + "\n")
        yield partial(_write_csv_rows, handle.write)


def write_csv(path: Path, outputs: Iterable[Picks]) -> int:
    """Write all picks of many micrographs, as they come, and return their number.

    See `csv_writer`.
    """
    count = 0
    with csv_writer(path) as write:
        for picks in outputs:
            write(picks)
            count += len(picks)
    return count


@contextmanager
def star_list_writer(path: Path) -> Iterator[Callable[[Picks, Shape | None], int]]:
    """Write the given picks of many micrographs as one STAR list, as `csv_writer` does.

    What the block calls returns how many picks are left out. Whole pixels, see
    `whole_pixels`; without a shape only negative ones are outside.
    """
    with atomic_write(path, "w", **TEXT) as handle:
        handle.write(star_header("", ("rlnMicrographName", *STAR_LABELS)))
        yield partial(_write_named_rows, handle.write)
        handle.write("\n")


def write_micrograph_star(path: Path, picks: Picks, shape: Shape | None) -> int:
    """Write the given picks of one micrograph for RELION, and return how many are left out.

    Every row of ``picks`` that lies on the image is written, selected or not; without
    rows the file has its header only. RELION truncates coordinates and stops at a
    particle off the image, hence `whole_pixels`.
    """
    with atomic_write(path, "w", **TEXT) as handle:
        handle.write(star_header("", STAR_LABELS))
        dropped = _write_rows(handle.write, "", picks, shape)
        handle.write("\n")
    return dropped


def whole_pixels(
    picks: Picks, shape: Shape | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return ``floor(x + 0.5)``, ``floor(y + 0.5)`` and whether they lie on the image, ``(n,)``.

    On the image is 0 to n - 1 on both axes. A pick off it is to be dropped and counted,
    not moved to the border: it would name a place where nobody saw a particle.
    """
    x, y = (np.floor(v + 0.5).astype(np.int64) for v in (picks.x_px, picks.y_px))
    inside = (x >= 0) & (y >= 0)
    if shape is not None:
        inside &= (x < shape[1]) & (y < shape[0])
    return x, y, inside


def _write_csv_rows(write: Callable[[str], object], picks: Picks) -> None:
    row = _csv_text(picks.micrograph_id).replace("%", "%%") + ",%.3f,%.3f,%.5g,%.5g,%d\n"
    columns = (picks.x_px + 0.0, picks.y_px + 0.0, picks.score, picks.probability)
    values = (*(c.tolist() for c in columns), picks.selected.tolist())
    write("".join([row % v for v in zip(*values, strict=True)]))


def _write_named_rows(write: Callable[[str], object], picks: Picks, shape: Shape | None) -> int:
    name = star_value(picks.micrograph_id).replace("%", "%%")
    return _write_rows(write, name + " ", picks, shape)


def _write_rows(
    write: Callable[[str], object], prefix: str, picks: Picks, shape: Shape | None
) -> int:
    x, y, inside = whole_pixels(picks, shape)
    # A score that is not finite would be read as 0 by RELION.
    fom = np.nan_to_num(picks.score, nan=-_LARGEST_FOM, posinf=_LARGEST_FOM, neginf=-_LARGEST_FOM)
    row = prefix + "%6d.000000 %6d.000000 %12.6f 0 0.000000\n"
    kept = (x[inside].tolist(), y[inside].tolist(), fom[inside].tolist())
    write("".join([row % v for v in zip(*kept, strict=True)]))
    return int(len(picks) - np.count_nonzero(inside))


def _csv_text(name: str) -> str:
    if "\n" in name or "\r" in name:
        raise InputError(f"micrograph {name!r} has a line break and cannot be written to CSV")
    if re.search(r'[",\t;]|^\s|\s$|^#|^$', name):
        return '"' + name.replace('"', '""') + '"'
    return name
