"""Rows of picks for a pruning job, from tables of any host: every row exactly once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.pick_columns import OptionalColumns
from frostpick.points import nearest_distance
from frostpick.types import Micrograph, Picks
from frostpick_jobs.formats import PickTable
from frostpick_jobs.formats.columns import known_merit
from frostpick_jobs.formats.pick_table import shared_columns
from frostpick_jobs.inputs.label_matching import scaled_centres
from frostpick_jobs.inputs.name_matching import match_names
from frostpick_jobs.inputs.twice import refuse_picks_twice
from frostpick_jobs.job.host import InputRows

log = logging.getLogger(__name__)

#: Picks nearer than this many pixels are the same pick written by two programs.
SAME_PX = 2.0

Complete = Callable[[Micrograph], Micrograph]


@dataclass(frozen=True)
class PickRows(OptionalColumns):
    """Picks of several files as one table, rows numbered through in their order.

    The `OptionalColumns` that all of the files have are there too.

    Parameters
    ----------
    name
        ``(n,)`` micrograph as the file names it.
    micrograph_id
        ``(n,)`` id of the job's micrograph; empty where there is none.
    x_px, y_px
        ``(n,)`` centres in pixels of that micrograph.
    merit
        ``(n,)`` figures of merit as the files give them; NaN where there is none.
    """

    name: tuple[str, ...]
    micrograph_id: tuple[str, ...]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    merit: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.name)

    @property
    def names(self) -> list[str]:
        """``(n,)`` id of the job's micrograph, where there is none the name in the file."""
        return [own or name for own, name in zip(self.micrograph_id, self.name, strict=True)]

    def input_rows(
        self, micrographs: Sequence[Micrograph], rows: NDArray[np.int64] | None = None
    ) -> InputRows:
        """Return the rows, or some of them, by micrograph in the job's order."""
        by_id = self._by_micrograph(None if rows is None else rows.tolist())
        picks = []
        for micrograph in micrographs:
            at = np.array(by_id.get(micrograph.id, ()), np.int64)
            if len(at):
                others = {name: values[at] for name, values in self.optional().items()}
                own = Picks.from_xy(micrograph.id, self.x_px[at], self.y_px[at], row=at, **others)
                picks.append((micrograph, own))
        return InputRows(rows=len(self), picks=picks, merit=self.merit)

    def rows_not_in(self, others: PickRows) -> NDArray[np.int64]:
        """Return the rows that lie within `SAME_PX` of no row of another table."""
        left = np.zeros(len(self), np.bool_)
        theirs = others._by_micrograph()
        for one, own in self._by_micrograph().items():
            places, known = (
                np.column_stack([rows.x_px[at], rows.y_px[at]])
                for rows, at in ((self, own), (others, theirs.get(one, [])))
            )
            left[own] = nearest_distance(places, known) > SAME_PX
        return np.flatnonzero(left)

    def _by_micrograph(self, rows: Iterable[int] | None = None) -> dict[str, list[int]]:
        """Return the rows, or some of them, of each micrograph of the job."""
        found: dict[str, list[int]] = defaultdict(list)
        for row in range(len(self)) if rows is None else rows:
            if self.micrograph_id[row]:
                found[self.micrograph_id[row]].append(row)
        return found


def pick_rows(
    tables: Sequence[PickTable],
    micrographs: Sequence[Micrograph],
    complete: Complete | None = None,
    *,
    every: bool = False,
    picks_pixel_size_A: float | None = None,
) -> PickRows:
    """Return the rows of tables in pixels of the micrographs; aligned particles are re-centred.

    Rows that a file marks as not selected are left out unless ``every`` is set, as in
    training: a table of all picks above the floor is mostly others.

    Parameters
    ----------
    complete
        Fills in the pixel size of a micrograph, asked where an alignment or another pixel size
        of the picks needs it.
    picks_pixel_size_A
        Pixel size the picks were made at, where it is not that of the micrographs.

    Raises
    ------
    LabelError
        Names of the tables cannot be told apart, or fit no micrograph; or a pixel size is needed
        and unknown.
    InputError
        Two tables hold the same picks.
    """
    tables = list(tables) if every else [_selected(table) for table in tables]
    names = [name for table in tables for name in table.rows_by_micrograph()]
    found = match_names(names, [m.id for m in micrographs]) if names else {}
    refuse_picks_twice(tables, found)
    by_id = {m.id: m for m in micrographs}
    x, y = [np.zeros(0)], [np.zeros(0)]
    for table in tables:
        tx, ty = table.x_px.copy(), table.y_px.copy()
        shifted = table.shift_A is not None and table.shift_A.any()
        if shifted or picks_pixel_size_A is not None:
            for name, rows in table.rows_by_micrograph().items():
                if name not in found:
                    continue
                micrograph = by_id[found[name]]
                if picks_pixel_size_A is not None:
                    full = complete(micrograph) if complete is not None else micrograph
                    tx[rows], ty[rows] = scaled_centres(table, rows, full, picks_pixel_size_A)
                    continue
                size = table.pixel_size_A[rows[0]] if table.pixel_size_A is not None else np.nan
                if not size > 0:
                    full = complete(micrograph) if complete is not None else micrograph
                    size = full.pixel_size_A or np.nan
                if size > 0:
                    tx[rows], ty[rows] = table.centres(rows, float(size))
        x.append(tx)
        y.append(ty)
    written = tuple(name for table in tables for name in table.micrograph)
    return PickRows(
        written,
        tuple(found.get(name, "") for name in written),
        np.concatenate(x),
        np.concatenate(y),
        np.concatenate([np.zeros(0), *map(_merit, tables)]),
        **shared_columns("picks", [table for table in tables if len(table)]),
    )


def _merit(table: PickTable) -> NDArray[np.float64]:
    """Return the figure of merit of each row, NaN where the file has none."""
    given = table.score if table.score is not None else table.probability
    return np.full(len(table), np.nan) if given is None else known_merit(given)


def _selected(table: PickTable) -> PickTable:
    if table.selected is None or table.selected.all():
        return table
    log.info(
        "%s: %d of %d rows are not selected, and left out",
        table.path,
        np.count_nonzero(~table.selected),
        len(table),
    )
    return table.keep(table.selected)
