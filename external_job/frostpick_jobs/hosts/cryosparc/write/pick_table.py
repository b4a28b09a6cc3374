"""Picks of all micrographs as the rows of a particle output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Picks
from frostpick_jobs.hosts.cryosparc.read.exposures import Exposures
from frostpick_jobs.hosts.cryosparc.write.converters import Exposure, fields_of
from frostpick_jobs.hosts.cryosparc.write.slots import FILAMENT, PICKS, Field, complete
from frostpick_jobs.hosts.cryosparc.write.uids import make_unique, pick_uids
from frostpick_jobs.job.host import MicrographOutput


@dataclass(frozen=True)
class PickRows:
    """All picks of a job, ``(n,)`` each, in the order of the micrographs.

    Parameters
    ----------
    uid
        uint64, the same each time the same pick is written.
    exposure
        int64 row in `Exposures`.
    selected
        bool.
    fields
        Field of the dataset -> values in its type (`converters.CONVERTERS`).
    """

    uid: NDArray[np.uint64]
    exposure: NDArray[np.int64]
    selected: NDArray[np.bool_]
    fields: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.uid)


class RowCollector:
    """The rows of a job, collected micrograph by micrograph.

    Parameters
    ----------
    seed
        `uids.job_seed` of the job.
    flip_y
        Write the positions on the image mirrored top to bottom.
    """

    def __init__(self, exposures: Exposures, seed: int, *, flip_y: bool = False) -> None:
        self._row_of = exposures.rows()
        self._seed, self._flip_y = seed, flip_y
        self._picked: list[int] = []
        self._parts: list[PickRows] = []

    def add(self, output: MicrographOutput) -> None:
        """Take up the rows of one micrograph."""
        picks, uid = output.picks, int(output.micrograph.id)
        row = self._row_of[output.micrograph.id]
        self._picked.append(row)
        self._parts.append(
            PickRows(
                pick_uids(self._seed, uid, picks.x_px, picks.y_px),
                np.full(len(picks), row, np.int64),
                picks.selected,
                fields_of(picks, Exposure(uid, output.shape, self._seed, self._flip_y)),
            )
        )

    def picked(self) -> NDArray[np.int64]:
        """Return ``(m,)`` the rows in `Exposures` of the micrographs, in the order they came."""
        return np.array(self._picked, np.int64)

    def rows(self) -> PickRows:
        """Return the rows of all micrographs so far.

        Raises
        ------
        ValueError
            Picks of some micrographs have an optional column that those of others lack.
        """
        parts = [part for part in self._parts if len(part)] or [_nothing()]
        names = tuple(parts[0].fields)
        if any(tuple(part.fields) != names for part in parts):
            raise ValueError("the picks of the micrographs differ in their optional columns")
        return PickRows(
            make_unique(np.concatenate([part.uid for part in parts])),
            np.concatenate([part.exposure for part in parts]),
            np.concatenate([part.selected for part in parts]),
            {name: np.concatenate([part.fields[name] for part in parts]) for name in names},
        )


def as_dataset(
    rows: PickRows,
    exposures: Exposures,
    asked: Sequence[Field],
    min_distance_A: float,
    keep: NDArray[np.bool_] | None = None,
) -> Any:
    """Return rows as a cryosparc ``Dataset`` with exact types.

    Parameters
    ----------
    asked
        The fields that the server wants in this output.
    min_distance_A
        Smallest distance between picks.
    keep
        ``(n,)`` bool; None for all rows.
    """
    from cryosparc.dataset import Dataset

    index = np.arange(len(rows)) if keep is None else np.flatnonzero(keep)
    at = rows.exposure[index]
    ours = (*PICKS, *(field for field in FILAMENT if field[0] in rows.fields))
    dataset = Dataset({"uid": rows.uid[index]}).add_fields(complete(asked, ours))
    columns: dict[str, Any] = {
        "location/micrograph_uid": exposures.uid[at],
        "location/exp_group_id": exposures.group[at],
        "location/micrograph_path": exposures.path[at],
        "location/micrograph_shape": exposures.shape[at],
        "location/micrograph_psize_A": exposures.pixel_size_A[at],
        "location/min_dist_A": np.full(len(index), min_distance_A, np.float32),
        **{name: values[index] for name, values in rows.fields.items()},
    }
    for name, values in columns.items():
        dataset[name] = values
    return dataset


def _nothing() -> PickRows:
    fields = fields_of(Picks.empty(""), Exposure(0, (1, 1), 0, flip_y=False))
    return PickRows(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.bool_), fields)
