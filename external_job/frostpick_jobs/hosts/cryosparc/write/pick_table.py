"""Picks of all micrographs as the rows of a particle output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick_jobs.hosts.cryosparc.read.exposures import Exposures
from frostpick_jobs.hosts.cryosparc.write.slots import PICKS, Field, complete
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
    x_frac, y_frac
        float32, column / nx and row / ny of the micrograph as stored.
    score, probability
        float32.
    selected
        bool.
    """

    uid: NDArray[np.uint64]
    exposure: NDArray[np.int64]
    x_frac: NDArray[np.float32]
    y_frac: NDArray[np.float32]
    score: NDArray[np.float32]
    probability: NDArray[np.float32]
    selected: NDArray[np.bool_]

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
        self._parts: list[tuple[Any, ...]] = [_nothing()]

    def add(self, output: MicrographOutput) -> None:
        """Take up the rows of one micrograph."""
        picks, (ny, nx) = output.picks, output.shape
        row = self._row_of[output.micrograph.id]
        y = ny - 1 - picks.y_px if self._flip_y else picks.y_px
        self._picked.append(row)
        self._parts.append(
            (
                pick_uids(self._seed, int(output.micrograph.id), picks.x_px, picks.y_px),
                np.full(len(picks), row, np.int64),
                fraction(picks.x_px, nx),
                fraction(y, ny),
                picks.score.astype(np.float32),
                picks.probability.astype(np.float32),
                picks.selected,
            )
        )

    def picked(self) -> NDArray[np.int64]:
        """Return ``(m,)`` the rows in `Exposures` of the micrographs, in the order they came."""
        return np.array(self._picked, np.int64)

    def rows(self) -> PickRows:
        """Return the rows of all micrographs so far."""
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        return PickRows(make_unique(columns[0]), *columns[1:])


def fraction(pixel: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Return position / size in single precision, so that it rounds back to the same pixel.

    Single precision moves a position by up to 3e-4 px. Where that would carry it over
    to another pixel, the pixel's centre is written.

    Parameters
    ----------
    pixel
        ``(n,)`` column or row.
    size
        Number of columns or rows.
    """
    pixel = np.asarray(pixel, np.float64)
    near = np.clip(np.floor(pixel + 0.5), 0, size - 1)
    exact = np.clip(pixel / size, 0.0, 1.0).astype(np.float32)
    back = np.rint(exact.astype(np.float64) * size)
    return np.where(back == near, exact, (near / size).astype(np.float32)).astype(np.float32)


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
    dataset = Dataset({"uid": rows.uid[index]}).add_fields(complete(asked, PICKS))
    columns: dict[str, Any] = {
        "location/micrograph_uid": exposures.uid[at],
        "location/exp_group_id": exposures.group[at],
        "location/micrograph_path": exposures.path[at],
        "location/micrograph_shape": exposures.shape[at],
        "location/center_x_frac": rows.x_frac[index],
        "location/center_y_frac": rows.y_frac[index],
        "location/micrograph_psize_A": exposures.pixel_size_A[at],
        "location/min_dist_A": np.full(len(index), min_distance_A, np.float32),
        "pick_stats/ncc_score": rows.probability[index],
        "pick_stats/power": rows.score[index],
    }
    for name, values in columns.items():
        dataset[name] = values
    return dataset


def _nothing() -> tuple[Any, ...]:
    types = (np.uint64, np.int64, np.float32, np.float32, np.float32, np.float32, np.bool_)
    return tuple(np.zeros(0, t) for t in types)
