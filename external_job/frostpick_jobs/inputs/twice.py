"""The same picks in two files, as in a folder that holds them in two formats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.points import nearest_distance
from frostpick_jobs.formats import PickTable

#: Rows of two files nearer than this many pixels are one pick: one format keeps fractions, the
#: other the corner of a box in whole pixels.
_SAME_PX = 1.0
#: This part of the rows in two files is no chance; two programs agree on fewer.
_MOST = 0.9


def refuse_picks_twice(tables: Sequence[PickTable], found: Mapping[str, str]) -> None:
    """Raise `InputError` where most rows of one file are in another as well.

    Parameters
    ----------
    tables
        Picks as read, one table a file.
    found
        Micrograph id by name, from `match_names`.
    """
    if len(tables) < 2:
        return
    by_id: dict[str, dict[int, list[NDArray[np.int64]]]] = defaultdict(lambda: defaultdict(list))
    for number, table in enumerate(tables):
        for name, rows in table.rows_by_micrograph().items():
            if name in found:
                by_id[found[name]][number].append(rows)
    rows_of_two = same = 0
    example: tuple[str, PickTable, PickTable] | None = None
    for micrograph_id, parts in by_id.items():
        if len(parts) < 2:
            continue
        places = {number: _places(tables[number], rows) for number, rows in parts.items()}
        largest = max(places, key=lambda number: len(places[number]))
        for number, xy in places.items():
            if number == largest:
                continue
            near = int(np.count_nonzero(nearest_distance(xy, places[largest]) <= _SAME_PX))
            rows_of_two, same = rows_of_two + len(xy), same + near
            if near and example is None:
                example = micrograph_id, tables[largest], tables[number]
    if example is not None and same >= _MOST * rows_of_two:
        micrograph_id, one, other = example
        raise InputError(
            f"{one.path} and {other.path} hold the same picks of {micrograph_id}: {same} of "
            f"{rows_of_two} rows would be there twice; give one of the two, or a folder that "
            "holds them in one format"
        )


def _places(table: PickTable, rows: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    at = np.concatenate(rows)
    return np.column_stack([table.x_px[at], table.y_px[at]])
