"""Rows of a particle input as labels: matched, re-centred, in pixels of the image that is read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import LabelError
from frostpick.types import Labels, Micrograph
from frostpick_jobs.formats import PickTable
from frostpick_jobs.hosts.cryosparc.read.exposures import Exposures
from frostpick_jobs.hosts.cryosparc.read.fields import needed, numbers, places, texts
from frostpick_jobs.inputs.label_matching import labels_for, match_names

log = logging.getLogger(__name__)

#: Labels nearer than this many diameters are one particle.
SAME_PARTICLE = 0.25


def read_labels(
    parts: Mapping[str, Any],
    exposures: Exposures,
    micrographs: Sequence[Micrograph],
    *,
    diameter_A: float | None = None,
    flip_y: bool = False,
) -> dict[str, Labels]:
    """Return the labels of particle datasets by micrograph id.

    A particle belongs to the exposure of its uid; where none has that uid, to the one
    with its path. Where the dataset has ``alignments2D/shift`` (2-D classes), the
    centre moves by minus the shift.

    Parameters
    ----------
    parts
        Connection -> cryosparc ``Dataset``.
    exposures, micrographs
        Of the job, in the same order.
    diameter_A
        Of labels nearer than a quarter of it the first is kept.
    flip_y
        The particles were picked on images that are mirrored top to bottom.

    Raises
    ------
    LabelError
        No particle lies on any of the micrographs.
    """
    tables = [
        table(name, part, exposures, flip_y=flip_y) for name, part in parts.items() if len(part)
    ]
    on_any = sum(len(one) for one in tables)
    total = sum(len(part) for part in parts.values())
    log.info("%d of %d particles are on the micrographs of this job", on_any, total)
    if on_any == 0:
        raise LabelError(no_particle_sentence(list(parts), total))
    near = None if diameter_A is None else SAME_PARTICLE * diameter_A
    return labels_for(tables, micrographs, min_distance_A=near)


def no_particle_sentence(names: Sequence[str], total: int) -> str:
    """Say that labels and micrographs do not belong together."""
    return (
        f"none of the {total} particles of {', '.join(names)} lies on any of the micrographs, "
        "by uid or by path; connect the micrographs that these particles were picked on"
    )


def table(name: str, part: Any, exposures: Exposures, *, flip_y: bool = False) -> PickTable:
    """Return the particles of a dataset that lie on the exposures; micrograph = decimal uid.

    Positions are in pixels of the image that is read: fractions times its size.
    """
    row = match_rows(part, exposures)
    keep = np.flatnonzero(row >= 0)
    row = row[keep]
    rows_columns = exposures.image_shape[row].astype(np.float64)
    x, y = places(part, keep, rows_columns)
    shift = shift_in_A(part, keep)
    if flip_y:
        y = rows_columns[:, 0] - 1 - y
        shift = None if shift is None else shift * (1.0, -1.0)
    names = [str(uid) for uid in exposures.uid.tolist()]
    if shift is not None:
        log.info("%s: %d particles are re-centred by alignments2D/shift", name, len(keep))
    return PickTable(
        path=Path(name),
        format="cryosparc",
        micrograph=tuple(names[r] for r in row.tolist()),
        x_px=x,
        y_px=y,
        shift_A=shift,
    )


def match_rows(part: Any, exposures: Exposures) -> NDArray[np.int64]:
    """Return the row of the exposure of each particle, ``(n,)`` int64; -1 where there is none.

    The uid 0 stands for none: then the path decides.
    """
    has_paths = "location/micrograph_path" in part.fields()
    if has_paths and "location/micrograph_uid" not in part.fields():
        wanted = np.zeros(len(part), np.uint64)
    else:
        wanted = needed(part, "location/micrograph_uid").astype(np.uint64)
    order = np.argsort(exposures.uid)
    at = np.searchsorted(exposures.uid, wanted, sorter=order)
    at = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros(len(wanted), np.int64)
    same = (exposures.uid[at] == wanted) & (wanted != 0)
    row = np.where(same, at, -1).astype(np.int64)
    lost = np.flatnonzero(row < 0)
    if len(lost) and has_paths:
        row[lost] = _rows_by_path(texts(part["location/micrograph_path"])[lost], exposures)
    return row


def shift_in_A(part: Any, keep: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return ``alignments2D/shift`` in Angstrom, ``(m, 2)`` x and y; None without alignments."""
    if "alignments2D/shift" not in part.fields():
        return None
    shift = np.asarray(part["alignments2D/shift"]).astype(np.float64).reshape(len(part), 2)[keep]
    sizes = ("alignments2D/psize_A", "blob/psize_A", "location/micrograph_psize_A")
    known = [name for name in sizes if (numbers(part, name) > 0).all()]
    if not known:
        log.warning("alignments2D/shift is left out: its pixel size is not in the dataset")
        return None
    pixel = numbers(part, known[0])[keep]
    return np.where(np.isfinite(shift), shift, 0.0) * pixel[:, None]


def _rows_by_path(paths: NDArray[np.object_], exposures: Exposures) -> NDArray[np.int64]:
    known = [str(path) for path in exposures.path]
    row_of = {path: row for row, path in enumerate(known)}
    try:
        found = match_names([str(path) for path in paths], known)
    except LabelError as error:
        log.warning("%d particles have an unknown micrograph uid: %s", len(paths), error)
        return np.full(len(paths), -1, np.int64)
    rows = np.array([row_of[found[str(p)]] if str(p) in found else -1 for p in paths], np.int64)
    log.info(
        "%d particles have the uid of no micrograph; %d of them match by path",
        len(paths),
        np.count_nonzero(rows >= 0),
    )
    return rows
