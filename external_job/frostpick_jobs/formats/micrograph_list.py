"""Read lists of micrographs: RELION's micrographs STAR, and plain text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frostpick.errors import InputError, Wording, listed, option
from frostpick_jobs.formats.star.lines import star_lines
from frostpick_jobs.formats.star.optics import group_values, legacy_pixel_size, optics_groups
from frostpick_jobs.formats.star.read import StarTable, read_star_blocks
from frostpick_jobs.formats.star.tables import (
    IMAGE,
    MICROGRAPH,
    X,
    Y,
    optics_table,
    tell_unread,
    with_labels,
)

log = logging.getLogger(__name__)

_WANTED = (
    "rlnMicrographName",
    "rlnMicrographMovieName",
    "rlnOpticsGroup",
    "rlnOpticsGroupName",
    "rlnMicrographPixelSize",
    "rlnMicrographOriginalPixelSize",
    "rlnDetectorPixelSize",
    "rlnMagnification",
)


@dataclass(frozen=True)
class MicrographRow:
    """One micrograph of a list.

    Parameters
    ----------
    name
        The text of the list, byte for byte (bytes that are no UTF-8 as lone surrogates).
    pixel_size_A
        Pixel size in Angstrom, where the list tells it.
    group
        Name of the optics group, or its number where it has no name.
    """

    name: str
    pixel_size_A: float | None = None
    group: str | None = None


def read_micrographs_star(path: Path) -> list[MicrographRow]:
    """Read RELION's list of micrographs, of 3.0 (one table) or later (with optics groups).

    The pixel size is ``rlnMicrographPixelSize`` of the optics group or of the row; where
    there is none ``rlnMicrographOriginalPixelSize`` (of the movie, before binning, which a
    warning says), or that of detector and magnification.

    Raises
    ------
    InputError
        The file cannot be read, names no micrographs, or refers to an unknown optics group.
    """
    blocks = read_star_blocks(path, _WANTED)
    if not blocks:
        return []
    table = with_labels(blocks.values(), (MICROGRAPH,), ("micrographs",))
    if table is None:
        raise InputError(_no_micrographs(path, blocks))
    others = {IMAGE, X, Y} & set(table.labels)
    if others:
        what = "particles" if IMAGE in others else "picks"
        raise InputError(
            f"{path}: this is a file of {what}, its block 'data_{table.name}' has "
            f"{', '.join(sorted(others))}; expected a list of micrographs: give it with "
            f"{option(what)}, and the micrographs themselves here"
        )
    tell_unread(path, blocks.values(), table, (MICROGRAPH,))
    optics = optics_table(blocks)
    names = table.columns["rlnMicrographName"]
    sizes = _pixel_sizes(path, table, optics)
    groups = _groups(path, table, optics)
    return [
        MicrographRow(name, size if size > 0 else None, group)
        for name, size, group in zip(names, sizes.tolist(), groups, strict=True)
    ]


def read_micrograph_list(path: Path) -> list[MicrographRow]:
    """Read a list of micrographs: ``.star``, or text with one path a line (``#`` comments).

    Raises
    ------
    InputError
        See `read_micrographs_star`.
    """
    if path.suffix.lower() == ".star":
        return read_micrographs_star(path)
    lines = (line.strip(" \t\r\n") for line in star_lines(path))
    return [MicrographRow(line) for line in lines if line and not line.startswith("#")]


def _pixel_sizes(path: Path, table: StarTable, optics: StarTable | None) -> np.ndarray:
    sizes = np.full(len(table), np.nan)
    own = group_values(path, table, optics, "rlnMicrographPixelSize")
    movie = group_values(path, table, optics, "rlnMicrographOriginalPixelSize")
    for source, values in (("own", own), ("", legacy_pixel_size(path, table)), ("movie", movie)):
        unknown = np.isnan(sizes)
        if values is None or not unknown.any():
            continue
        if source == "movie" and np.isfinite(values[unknown]).any():
            log.warning(
                Wording(
                    "%s has no rlnMicrographPixelSize; taking rlnMicrographOriginalPixelSize, the "
                    f"movie's: give {option('pixel_size')} if the micrographs are binned"
                ),
                path,
            )
        sizes[unknown] = values[unknown]
    return sizes


def _groups(path: Path, table: StarTable, optics: StarTable | None) -> list[str | None]:
    groups = None if optics is None else optics_groups(path, table, optics)
    if optics is None or groups is None:
        return [None] * len(table)
    names = optics.columns.get("rlnOpticsGroupName") or optics.columns["rlnOpticsGroup"]
    by_group = dict(zip(groups[0], names, strict=True))
    return [by_group[group] for group in groups[1]]


def _no_micrographs(path: Path, blocks: Mapping[str, StarTable]) -> str:
    labels = {label for table in blocks.values() for label in table.labels}
    hint = ""
    if "rlnMicrographMovieName" in labels:
        hint = "; these are movies, run motion correction first"
    elif IMAGE in labels:
        hint = f"; this is a file of particles, give it with {option('particles')}"
    elif X in labels:
        hint = f"; this is a file of picks, give it as {option('labels')} or {option('picks')}"
    found = listed([f"data_{name}" for name in blocks])
    return (
        f"{path}: found the blocks {found} without rlnMicrographName; expected a STAR file of "
        f"micrographs{hint}"
    )
