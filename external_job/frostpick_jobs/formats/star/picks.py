"""Read picks from STAR files: coordinates of one micrograph or many, and particles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, listed, option
from frostpick_jobs.formats.columns import finite_column, optional_column, sign_column
from frostpick_jobs.formats.converters import optional_names, read_optional
from frostpick_jobs.formats.foreign import CRYOLO_BOX, is_cryolo_box
from frostpick_jobs.formats.pick_table import PickTable
from frostpick_jobs.formats.star.optics import group_values, legacy_pixel_size
from frostpick_jobs.formats.star.pick_labels import STAR
from frostpick_jobs.formats.star.read import StarTable, read_star_blocks
from frostpick_jobs.formats.star.tables import (
    IMAGE,
    MICROGRAPH,
    PARTICLE_BLOCKS,
    SIGN,
    X,
    Y,
    optics_table,
    tell_unread,
    with_labels,
)

Float = NDArray[np.float64]

#: The score of a pick: RELION's label; that of an older Topaz; that of pickers made of neural
#: networks for boxes, which write no other.
SCORE_LABELS = ("rlnAutopickFigureOfMerit", "rlnParticleScore", "rlnScore")
_WANTED = (
    "rlnMicrographName",
    "rlnMicrographCoordinates",
    "rlnCoordinateX",
    "rlnCoordinateY",
    *SCORE_LABELS,
    "rlnOriginXAngst",
    "rlnOriginYAngst",
    "rlnOriginX",
    "rlnOriginY",
    "rlnOpticsGroup",
    "rlnOpticsGroupName",
    "rlnMicrographPixelSize",
    "rlnImagePixelSize",
    "rlnDetectorPixelSize",
    "rlnMagnification",
    SIGN,
    *optional_names(STAR).values(),
)
LIST_LABEL = "rlnMicrographCoordinates"


def star_pick_blocks(path: Path) -> dict[str, StarTable]:
    """Read the columns that picks may need from every block."""
    return read_star_blocks(path, _WANTED)


def pick_block(blocks: dict[str, StarTable]) -> StarTable | None:
    """Return the block with the picks: one with coordinates, or that lists files of them.

    Of several, the particles', else the first: RELION itself takes the very first block of
    a coordinate file. Without one, the first that is not of optics, for a message; None for
    a file without a block.
    """
    tables = list(blocks.values())
    for labels in ((X, Y), (LIST_LABEL,), (X,), (Y,)):
        if (found := with_labels(tables, labels, PARTICLE_BLOCKS[:2])) is not None:
            return found
    return next((table for name, table in blocks.items() if name != "optics"), None)


def picks_from_blocks(path: Path, blocks: dict[str, StarTable], unnamed: str) -> PickTable:
    """Return the picks of a STAR file with coordinates.

    Parameters
    ----------
    path
        The file, for messages.
    blocks
        Its blocks, from `star_pick_blocks`.
    unnamed
        Micrograph name for rows of a file without ``rlnMicrographName``.

    Raises
    ------
    InputError
        There are no coordinates, a value is no number, or an alignment is given in
        pixels of images whose pixel size the file does not tell.
    """
    table = pick_block(blocks)
    if not any(block.labels for block in blocks.values()):
        return PickTable.empty(path, "star")
    if table is None:
        raise InputError(f"{path}: found the block 'data_optics' only, expected a table of picks")
    columns = table.columns
    if X not in table.labels or Y not in table.labels:
        raise _no_coordinates(path, table, blocks)
    tell_unread(path, blocks.values(), table, (X, Y))
    n = len(table)
    optics = optics_table(blocks)
    score = next((label for label in SCORE_LABELS if label in columns), None)
    return PickTable(
        path,
        "star",
        tuple(columns.get("rlnMicrographName", [unnamed] * n)),
        finite_column(path, "rlnCoordinateX", columns["rlnCoordinateX"]),
        finite_column(path, "rlnCoordinateY", columns["rlnCoordinateY"]),
        score=None if score is None else optional_column(path, score, columns[score]),
        shift_A=_shift(path, table, optics),
        pixel_size_A=group_values(path, table, optics, "rlnMicrographPixelSize"),
        sign=sign_column(path, SIGN, columns[SIGN]) if SIGN in columns else None,
        **read_optional(path, STAR, columns),
    )


def _no_coordinates(path: Path, table: StarTable, blocks: dict[str, StarTable]) -> InputError:
    labels = {label for block in blocks.values() for label in block.labels}
    if is_cryolo_box(labels):
        return InputError(f"{path}: {CRYOLO_BOX}")
    hint = ""
    if IMAGE in labels:
        hint = "; particles without coordinates cannot be found on micrographs"
    elif MICROGRAPH in labels:
        hint = f"; this is a list of micrographs, give it with {option('micrographs')}"
    elif "rlnMicrographMovieName" in labels:
        hint = "; this is a list of movies"
    return InputError(
        f"{path}: block 'data_{table.name}' has {listed(table.labels) or 'no columns'}; "
        f"expected rlnCoordinateX and rlnCoordinateY{hint}"
    )


def _shift(path: Path, table: StarTable, optics: StarTable | None) -> Float | None:
    """Return the alignment in Angstrom, ``(n, 2)``, or None where there is none."""
    angstrom = _pair(path, table, "rlnOriginXAngst", "rlnOriginYAngst")
    if angstrom is not None:
        return angstrom
    pixels = _pair(path, table, "rlnOriginX", "rlnOriginY")
    if pixels is None or not pixels.any():
        return None
    # RELION 3.0 and before: in pixels of the extracted image, which may be binned.
    size = group_values(path, table, optics, "rlnImagePixelSize")
    if size is None:
        size = legacy_pixel_size(path, table)
    if size is None or not np.isfinite(size).all():
        raise InputError(
            f"{path}: rlnOriginX is in pixels of the particle images, and the file tells no "
            "pixel size; expected rlnDetectorPixelSize and rlnMagnification, or "
            "rlnOriginXAngst (convert the file with relion_convert_star)"
        )
    return pixels * size[:, None]


def _pair(path: Path, table: StarTable, x: str, y: str) -> Float | None:
    if x not in table.columns or y not in table.columns:
        return None
    # a particle whose alignment is unknown stays where it was picked
    pair = np.column_stack([optional_column(path, n, table.columns[n]) for n in (x, y)])
    pair[~np.isfinite(pair).all(axis=1)] = 0.0
    return pair
