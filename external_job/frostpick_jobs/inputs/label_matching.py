"""Labels of a training job from files of picks."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import LabelError, counted, option
from frostpick.types import Labels, Micrograph
from frostpick_jobs.formats import PickTable
from frostpick_jobs.inputs.name_matching import match_names
from frostpick_jobs.inputs.signs import refuse_both_signs, signs_of, single

__all__ = ["labels_for", "match_names"]

log = logging.getLogger(__name__)

#: So many labels outside their micrographs, and most of all, are of another scale.
MOST_OUTSIDE = 5

Float = NDArray[np.float64]


def labels_for(
    tables: Sequence[PickTable],
    micrographs: Sequence[Micrograph],
    *,
    picks_pixel_size_A: float | None = None,
    min_distance_px: float = 1.0,
    min_distance_A: float | None = None,
    complete: Callable[[Micrograph], Micrograph] | None = None,
) -> dict[str, Labels]:
    """Turn picks of files into labels, in pixels of the job's micrographs.

    Rows that a file marks as not selected, or as another ``kind`` than ``particle``, are
    no labels; those with the sign -1 are none of both, and teach what is no particle.
    Aligned particles are re-centred (`PickTable.centres`).

    Parameters
    ----------
    tables
        Picks as read.
    micrographs
        The job's micrographs.
    picks_pixel_size_A
        Pixel size the picks were made at, where it is not that of the micrographs.
        Positions are multiplied by the ratio: pixel 0 of both images is at one place,
        as after a Fourier crop.
    min_distance_px, min_distance_A
        Of labels of one sign nearer to each other the first is kept; Angstrom, if given, wins.
    complete
        Fills in shape and pixel size of a micrograph from its header, where the host
        does not know them; called for labelled micrographs only.

    Returns
    -------
    dict
        Labels by micrograph id, in the order of ``micrographs``, those without a label
        left out. ``row`` is the row in the table. Signs are +1 where a file tells none.

    Raises
    ------
    LabelError
        Names cannot be matched, a pixel size is needed and unknown, a place has both signs, or
        most labels lie outside their micrographs.
    """
    matches = match_names(
        [name for table in tables for name in table.rows_by_micrograph()],
        [m.id for m in micrographs],
        what="labels",
    )
    by_id: dict[str, list[tuple[PickTable, NDArray[np.int64]]]] = defaultdict(list)
    for table in tables:
        usable = _usable(table)
        for name, rows in table.rows_by_micrograph().items():
            if name in matches:
                by_id[matches[name]].append((table, rows[usable[rows]]))
    labels: dict[str, Labels] = {}
    outside = double = 0
    doubt: str | None = None
    for micrograph in micrographs:
        if micrograph.id not in by_id:
            continue
        known = micrograph if complete is None else complete(micrograph)
        if picks_pixel_size_A is None:
            doubt = doubt or _other_pixel_size(by_id[known.id], known)
        parts = [_positions(t, rows, known, picks_pixel_size_A) for t, rows in by_id[known.id]]
        xy = np.concatenate([np.column_stack(part) for part in parts])
        rows = np.concatenate([rows for _, rows in by_id[known.id]])
        sign = signs_of(by_id[known.id])
        refuse_both_signs(known.id, xy, sign, min_distance_px, by_id[known.id])
        inside = _inside(xy, known.shape)
        distance = min_distance_px
        if min_distance_A is not None:
            distance = min_distance_A / _pixel_size(known, "a distance in Angstrom")
        stay = single(xy[inside], sign[inside], distance)
        outside += int(np.count_nonzero(~inside))
        double += int(np.count_nonzero(~stay))
        xy, rows, sign = xy[inside][stay], rows[inside][stay], sign[inside][stay]
        if len(xy):
            source = by_id[known.id][0][0].format
            labels[known.id] = Labels.from_xy(
                known.id, xy[:, 0], xy[:, 1], row=rows, source=source, sign=sign
            )
    inside_count = double + sum(map(len, labels.values()))
    if outside > inside_count and (outside >= MOST_OUTSIDE or not inside_count):
        raise LabelError(
            f"{outside} of {outside + inside_count} labels lie outside their micrographs; if they "
            f"were made on images of another size, give their pixel size as "
            f"{option('picks_pixel_size')}"
        )
    if doubt:
        log.warning("%s", doubt)
    for table in tables:
        if table.format != "cryosparc" and table.shift_A is not None:
            moved = int(np.count_nonzero(table.shift_A.any(axis=1)))
            if moved:
                log.info("%s: %d particles are re-centred by their alignment", table.path, moved)
    log.info(
        "%d labels on %s; left out: %d off the image, %d double",
        sum(map(len, labels.values())),
        counted(len(labels), "micrograph"),
        outside,
        double,
    )
    if none := sum(int((one.sign < 0).sum()) for one in labels.values()):
        log.info("%d of the labels are places without a particle", none)
    return labels


def _usable(table: PickTable) -> NDArray[np.bool_]:
    usable = np.ones(len(table), np.bool_) if table.selected is None else table.selected.copy()
    if table.kind is not None:
        usable &= np.array([kind == "particle" for kind in table.kind], np.bool_)
    if table.sign is not None:
        usable |= table.sign < 0
    if not usable.all():
        log.info(
            "%s: %d of %d rows are not selected or not particles, and left out",
            table.path,
            np.count_nonzero(~usable),
            len(table),
        )
    return usable


def _positions(
    table: PickTable,
    rows: NDArray[np.int64],
    micrograph: Micrograph,
    picks_pixel_size_A: float | None,
) -> tuple[Float, Float]:
    """Return x and y in pixels of the micrograph."""
    own = micrograph.pixel_size_A
    if picks_pixel_size_A is None:
        if table.shift_A is not None and table.shift_A[rows].any():
            own = _pixel_size(micrograph, f"re-centring the particles of {table.path}")
        return table.centres(rows, own)
    return scaled_centres(table, rows, micrograph, picks_pixel_size_A)


def scaled_centres(
    table: PickTable, rows: NDArray[np.int64], micrograph: Micrograph, picks_pixel_size_A: float
) -> tuple[Float, Float]:
    """Return x and y, of picks made at another pixel size, in pixels of the micrograph.

    Raises
    ------
    LabelError
        The pixel size of the micrograph is not known.
    """
    x, y = table.centres(rows, picks_pixel_size_A)
    ratio = picks_pixel_size_A / _pixel_size(micrograph, "picks_pixel_size")
    return x * ratio, y * ratio


def _pixel_size(micrograph: Micrograph, purpose: str) -> float:
    if micrograph.pixel_size_A is None:
        raise LabelError(
            f"{micrograph.id}: {purpose} needs the pixel size of the micrograph, which neither "
            "the host nor the header tells; give pixel_size"
        )
    return micrograph.pixel_size_A


def _other_pixel_size(
    parts: Sequence[tuple[PickTable, NDArray[np.int64]]], micrograph: Micrograph
) -> str | None:
    """Say it where a file tells another pixel size than the micrograph has."""
    for table, rows in parts:
        if table.pixel_size_A is None or micrograph.pixel_size_A is None or not len(rows):
            continue
        told = table.pixel_size_A[rows[0]]
        if abs(told / micrograph.pixel_size_A - 1) > 0.01:
            return (
                f"{table.path} was made at {told:.4g} A per pixel and {micrograph.id} has "
                f"{micrograph.pixel_size_A:.4g}; if the images differ in size, give "
                "picks_pixel_size"
            )
    return None


def _inside(xy: Float, shape: tuple[int, int] | None) -> NDArray[np.bool_]:
    if shape is None:
        return np.ones(len(xy), np.bool_)
    limit = np.array(shape[::-1]) - 0.5
    return np.asarray(((xy >= -0.5) & (xy < limit)).all(axis=1))
