"""``micrographs.csv``: what became of each micrograph, and by which threshold it was cut."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from frostpick.runtime.atomic import atomic_write
from frostpick_jobs.formats.star.write import TEXT

NAME = "micrographs.csv"
COLUMNS = ("micrograph", "status", "picks", "threshold")


def write_table(
    path: Path, picked: Iterable[tuple[str, int, float]], failed: Sequence[str]
) -> None:
    """Write a row for each micrograph, those that could not be picked last.

    Parameters
    ----------
    picked
        Id, number of picks at or above the threshold, and that threshold in score units.
    failed
        Ids.
    """
    with atomic_write(path, "w", **TEXT) as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows((name, "picked", count, f"{score:.6g}") for name, count, score in picked)
        table.writerows((name, "failed", "", "") for name in failed)
