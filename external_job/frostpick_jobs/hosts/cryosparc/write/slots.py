"""The slots that frostpick reads and writes, with the exact types that the server compares."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

Field = tuple[Any, ...]

#: Required by the server, in this order; a wrong type or shape counts as missing.
LOCATION: tuple[Field, ...] = (
    ("location/micrograph_uid", "<u8"),
    ("location/exp_group_id", "<u4"),
    ("location/micrograph_path", "O"),
    ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"),
    ("location/center_y_frac", "<f4"),
)
#: What native pickers add; not every server lists them.
LOCATION_OPTIONAL: tuple[Field, ...] = (
    ("location/micrograph_psize_A", "<f4"),
    ("location/min_dist_A", "<f4"),
)
PICK_STATS: tuple[Field, ...] = (
    ("pick_stats/ncc_score", "<f4"),
    ("pick_stats/power", "<f4"),
    ("pick_stats/template_idx", "<u4"),
    ("pick_stats/angle_rad", "<f4"),
)
PICKS = (*LOCATION, *LOCATION_OPTIONAL, *PICK_STATS)
#: Of picks on filaments alone. Not seen on a server: names, types and the sense of the angle are
#: those of public readers of native filament picks.
FILAMENT: tuple[Field, ...] = (
    ("filament/filament_uid", "<u8"),
    ("filament/filament_pose", "<f4"),
)


def complete(asked: Sequence[Field], wanted: Sequence[Field]) -> list[Field]:
    """Return the fields of a dataset: what the server asked for, and ours that it did not.

    Parameters
    ----------
    asked
        Fields of an allocated output, ``Dataset.descr()``, the uid left out.
    wanted
        Ours. Where the server says another type, the server's holds.
    """
    ours = {field[0]: field for field in wanted}
    fields: list[Field] = []
    for field in asked:
        mine = ours.pop(field[0], None)
        if mine is None:
            log.warning("the server asks for %s, which is left at its default", field[0])
        elif _plain(mine) != _plain(field):
            log.warning("the server says %s is %s, not %s", field[0], field[1:], mine[1:])
        fields.append(field)
    return [*fields, *ours.values()]


def with_all_fields(out: Any, kept: Any) -> Any:
    """Return an allocated output, filled with every field of the rows that go into it.

    A server may allocate the required fields of a slot only; the others are added in the
    type that the rows have.

    Parameters
    ----------
    out
        An allocated ``Dataset``, one row a row of ``kept``.
    kept
        A ``Dataset`` with the fields of the output's own slot.
    """
    known = set(out.fields())
    out = out.add_fields([one for one in kept.descr(exclude_uid=True) if one[0] not in known])
    for field in kept.fields(exclude_uid=True):
        out[field] = kept[field]
    return out


def _plain(field: Field) -> tuple[np.dtype[Any], tuple[int, ...]]:
    return np.dtype(field[1]), tuple(field[2]) if len(field) > 2 else ()
