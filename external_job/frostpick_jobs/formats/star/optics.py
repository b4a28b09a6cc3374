"""What RELION keeps once for a group of micrographs, and in older files in every row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, listed
from frostpick_jobs.formats.columns import finite_column, whole_number
from frostpick_jobs.formats.star.read import StarTable

Float = NDArray[np.float64]


def optics_groups(
    path: Path, table: StarTable, optics: StarTable
) -> tuple[list[str], list[str]] | None:
    """Return the group of every optics row and of every row of the table, or None.

    Numbers are compared as numbers: ``1.000000`` is group 1.

    Raises
    ------
    InputError
        A row's group is not among the optics groups.
    """
    for key in ("rlnOpticsGroup", "rlnOpticsGroupName"):
        if key in table.columns and key in optics.columns:
            defined, used = optics.columns[key], table.columns[key]
            if key == "rlnOpticsGroup":
                spelled = {text: whole_number(text) for text in {*defined, *used}}
                defined, used = ([spelled[text] for text in texts] for texts in (defined, used))
            known = set(defined)
            lost = next((n for n, group in enumerate(used) if group not in known), None)
            if lost is not None:
                raise InputError(
                    f"{path}: {key} {table.columns[key][lost]!r} is used in 'data_{table.name}' "
                    f"and not defined in 'data_{optics.name}', which has {listed(sorted(known))}"
                )
            return defined, used
    return None


def group_values(
    path: Path, table: StarTable, optics: StarTable | None, label: str
) -> Float | None:
    """Return a positive number of every row, ``(n,)``, from its optics group or its own column.

    NaN where the value is not above 0; None where no column of that label exists.

    Raises
    ------
    InputError
        A row's group is not among the optics groups, or one is there twice with two values.
    """
    if optics is not None and label in optics.columns and len(optics):
        values = finite_column(path, label, optics.columns[label])
        groups = optics_groups(path, table, optics)
        if groups is not None:
            by_group = _by_group(path, label, groups[0], values)
            found = np.array([by_group[g] for g in groups[1]], np.float64)
        elif len(values) == 1:
            found = np.full(len(table), values[0])
        else:
            return None
    elif label in table.columns:
        found = finite_column(path, label, table.columns[label])
    else:
        return None
    return np.where(found > 0, found, np.nan)


def _by_group(path: Path, label: str, groups: list[str], values: Float) -> dict[str, float]:
    found: dict[str, float] = {}
    for group, value in zip(groups, values.tolist(), strict=True):
        if not np.isclose(found.setdefault(group, value), value, equal_nan=True):
            raise InputError(
                f"{path}: optics group {group} is defined twice, with {label} {found[group]:g} "
                f"and {value:g}; expected each group once: number the groups of joined files anew"
            )
    return found


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
