"""What RELION keeps once for a group of micrographs, and in older files in every row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick_jobs.formats.columns import finite_column
from frostpick_jobs.formats.star.read import StarTable

Float = NDArray[np.float64]


def optics_key(path: Path, table: StarTable, optics: StarTable) -> str | None:
    """Return the label that joins rows to optics groups, or None.

    Raises
    ------
    InputError
        A row's group is not among the optics groups.
    """
    for key in ("rlnOpticsGroup", "rlnOpticsGroupName"):
        if key in table.columns and key in optics.columns:
            known = set(optics.columns[key])
            lost = next((g for g in table.columns[key] if g not in known), None)
            if lost is not None:
                raise InputError(
                    f"{path}: {key} {lost!r} is used in 'data_{table.name}' and not defined in "
                    f"'data_optics', which has {', '.join(sorted(known))}"
                )
            return key
    return None


def group_values(
    path: Path, table: StarTable, optics: StarTable | None, label: str
) -> Float | None:
    """Return a positive number of every row, ``(n,)``, from its optics group or its own column.

    NaN where the value is not above 0; None where no column of that label exists.
    """
    if optics is not None and label in optics.columns and len(optics):
        values = finite_column(path, label, optics.columns[label])
        key = optics_key(path, table, optics)
        if key is not None:
            by_group = dict(zip(optics.columns[key], values.tolist(), strict=True))
            found = np.array([by_group[g] for g in table.columns[key]], np.float64)
        elif len(values) == 1:
            found = np.full(len(table), values[0])
        else:
            return None
    elif label in table.columns:
        found = finite_column(path, label, table.columns[label])
    else:
        return None
    return np.where(found > 0, found, np.nan)


def legacy_pixel_size(path: Path, table: StarTable) -> Float | None:
    """Return ``10^4 * rlnDetectorPixelSize / rlnMagnification`` in Angstrom, ``(n,)``, or None.

    How RELION up to 3.0 stores the pixel size: the detector's in micrometres over the
    magnification.
    """
    names = ("rlnDetectorPixelSize", "rlnMagnification")
    if any(name not in table.columns for name in names):
        return None
    detector, magnification = (finite_column(path, n, table.columns[n]) for n in names)
    known = (detector > 0) & (magnification > 0)
    return np.where(known, 1e4 * detector / np.where(known, magnification, 1.0), np.nan)
