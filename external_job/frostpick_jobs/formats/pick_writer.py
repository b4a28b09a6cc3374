"""Write picks: CSV, one STAR list, and RELION's file of one micrograph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.runtime.atomic import atomic_write
from frostpick.types import Picks
from frostpick_jobs.formats.delimited import CSV
from frostpick_jobs.formats.row_writer import RowWriter
from frostpick_jobs.formats.star.pick_labels import STAR, whole
from frostpick_jobs.formats.star.write import TEXT, star_header, star_value

Shape = tuple[int, int]


@contextmanager
def csv_writer(path: Path) -> Iterator[Callable[[Picks], None]]:
    """Write all picks of many micrographs: the block calls what it is given for each.

    The columns are those of `CSV`. The file is there when the block has ended well.
    """
    with atomic_write(path, "w", **TEXT) as handle:
        rows = RowWriter(handle.write, CSV, _csv_header, ",")
        yield lambda picks: rows.rows(picks, _csv_text(picks.micrograph_id) + ",")
        rows.close()


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
        rows = RowWriter(handle.write, STAR, _list_header, " ")
        yield partial(_write_named_rows, rows)
        rows.close()
        handle.write("\n")


def write_micrograph_star(path: Path, picks: Picks, shape: Shape | None) -> int:
    """Write the given picks of one micrograph for RELION, and return how many are left out.

    Every row of ``picks`` that lies on the image is written, selected or not; without
    rows the file has its header only. RELION truncates coordinates and stops at a
    particle off the image, hence `whole_pixels`.
    """
    with atomic_write(path, "w", **TEXT) as handle:
        rows = RowWriter(handle.write, STAR, partial(star_header, ""), " ")
        dropped = _write_inside(rows, "", picks, shape)
        rows.close()
        handle.write("\n")
    return dropped


def whole_pixels(
    picks: Picks, shape: Shape | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return ``floor(x + 0.5)``, ``floor(y + 0.5)`` and whether they lie on the image, ``(n,)``.

    On the image is 0 to n - 1 on both axes. A pick off it is to be dropped and counted,
    not moved to the border: it would name a place where nobody saw a particle.
    """
    x, y = whole(picks.x_px), whole(picks.y_px)
    inside = (x >= 0) & (y >= 0)
    if shape is not None:
        inside &= (x < shape[1]) & (y < shape[0])
    return x, y, inside


def _write_named_rows(rows: RowWriter, picks: Picks, shape: Shape | None) -> int:
    return _write_inside(rows, star_value(picks.micrograph_id) + " ", picks, shape)


def _write_inside(rows: RowWriter, prefix: str, picks: Picks, shape: Shape | None) -> int:
    """Write the picks on the image, and return how many are not."""
    *_, inside = whole_pixels(picks, shape)
    rows.rows(picks.keep(inside), prefix)
    return int(len(picks) - np.count_nonzero(inside))


def _csv_header(names: Sequence[str]) -> str:
    return ",".join(("micrograph", *names)) + "\n"


def _list_header(labels: Sequence[str]) -> str:
    return star_header("", ("rlnMicrographName", *labels))


def _csv_text(name: str) -> str:
    if "\n" in name or "\r" in name:
        raise InputError(f"micrograph {name!r} has a line break and cannot be written to CSV")
    if re.search(r'[",\t;]|^\s|\s$|^#|^$', name):
        return '"' + name.replace('"', '""') + '"'
    return name
