"""Read lists of micrographs: RELION's micrographs STAR, and plain text."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frostpick.errors import InputError, Wording, option
from frostpick_jobs.formats.star.optics import group_values, legacy_pixel_size, optics_key
from frostpick_jobs.formats.star.read import StarTable, read_star_blocks, star_lines

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
    candidates = [t for t in blocks.values() if "rlnMicrographName" in t.columns]
    table = blocks.get("micrographs") or next(iter(candidates), None)
    if table is None or "rlnMicrographName" not in table.columns:
        found = sorted({label for t in blocks.values() for label in t.columns})
        hint = "; these are movies, run motion correction first" if _is_movies(found) else ""
        raise InputError(
            f"{path}: found the blocks {', '.join('data_' + n for n in blocks)} without "
            f"rlnMicrographName; expected a STAR file of micrographs{hint}"
        )
    optics = blocks.get("optics")
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
    key = None if optics is None else optics_key(path, table, optics)
    if optics is None or key is None:
        return [None] * len(table)
    names = optics.columns.get("rlnOpticsGroupName", optics.columns[key])
    by_key = dict(zip(optics.columns[key], names, strict=True))
    return [by_key[k] for k in table.columns[key]]


def _is_movies(labels: list[str]) -> bool:
    return "rlnMicrographMovieName" in labels
