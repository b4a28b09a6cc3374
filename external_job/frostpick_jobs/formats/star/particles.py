"""Particles STAR files: where the image of every row is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, option
from frostpick.types import LocalFile, ParticleStack
from frostpick_jobs.formats.columns import known_merit, optional_column, sign_column
from frostpick_jobs.formats.star.optics import group_values, legacy_pixel_size
from frostpick_jobs.formats.star.read import StarTable, read_star_blocks
from frostpick_jobs.formats.star.tables import (
    IMAGE,
    PARTICLE_BLOCKS,
    SIGN,
    no_particles,
    optics_table,
    tell_unread,
    with_labels,
)
from frostpick_jobs.formats.walk import base_of, in_project

Float = NDArray[np.float64]

_WANTED = (
    "rlnImageName",
    "rlnMicrographName",
    "rlnCoordinateX",
    "rlnCoordinateY",
    "rlnOpticsGroup",
    "rlnOpticsGroupName",
    "rlnImagePixelSize",
    "rlnMicrographPixelSize",
    "rlnDetectorPixelSize",
    "rlnMagnification",
    "rlnAutopickFigureOfMerit",
    SIGN,
)


@dataclass(frozen=True)
class ParticleRows:
    """The rows of a particles STAR file.

    Parameters
    ----------
    image
        ``(n,)`` text as written, ``000012@path``.
    file, index
        ``(n,)`` the stack's path, without CryoSPARC's ``>``, and the section from 0.
    pixel_size_A
        ``(n,)`` of the images.
    micrograph, x_px, y_px, position_pixel_A
        ``(n,)`` where each was picked, or None where the file does not tell; the pixel
        size is NaN where it is not known.
    merit
        ``(n,)`` figure of merit of the pick it was cut at, or None.
    sign
        ``(n,)`` int8, files of labels only: 1 for a particle, -1 for a box that holds none.
    """

    path: Path
    image: tuple[str, ...]
    file: tuple[str, ...]
    index: NDArray[np.int64]
    pixel_size_A: Float
    micrograph: tuple[str, ...] | None
    x_px: Float | None
    y_px: Float | None
    position_pixel_A: Float
    merit: Float | None = None
    sign: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.image)

    def of_sign(self, sign: int) -> NDArray[np.int64]:
        """Return the rows of one sign; in a file without signs every row is a particle."""
        signs = np.ones(len(self), np.int8) if self.sign is None else self.sign
        return np.flatnonzero(signs == sign)

    def stacks(
        self, base: Path | None = None, rows: NDArray[np.int64] | None = None
    ) -> list[ParticleStack]:
        """Return the particles by stack file, in the order of the first row of each.

        Parameters
        ----------
        base
            Project folder of the paths; None is the first of the working folder and the
            folders above the file in which the first stack that is there exists.
        rows
            Take these rows only; None takes all.
        """
        folder = base if base is not None else self._project()
        by_file: dict[tuple[str, float, float], list[int]] = defaultdict(list)
        chosen = range(len(self)) if rows is None else rows.tolist()
        for row in chosen:
            pixel, position = float(self.pixel_size_A[row]), float(self.position_pixel_A[row])
            by_file[(self.file[row], pixel, position if position > 0 else 0.0)].append(row)
        return [
            self._stack(folder / file, pixel, position, np.array(at, np.int64))
            for (file, pixel, position), at in by_file.items()
        ]

    def _stack(
        self, path: Path, pixel: float, position: float, at: NDArray[np.int64]
    ) -> ParticleStack:
        names = None
        if self.micrograph is not None:
            names = np.array([self.micrograph[row] for row in at.tolist()], np.str_)
        return ParticleStack(
            source=LocalFile(path),
            row=at,
            index=self.index[at],
            pixel_size_A=pixel,
            light=None,
            micrograph_id=names,
            x_px=None if self.x_px is None else self.x_px[at],
            y_px=None if self.y_px is None else self.y_px[at],
            position_pixel_A=position or None,
        )

    def _project(self) -> Path:
        folders = [Path(), *list(self.path.absolute().parents)[:4]]
        return base_of(dict.fromkeys(self.file), folders) or folders[0]

    def rows_not_in(self, others: ParticleRows) -> NDArray[np.int64]:
        """Return the rows whose image is in no row of another table, ``000001@`` as ``1@``."""
        known = set(zip(others.file, others.index.tolist(), strict=True))
        own = zip(self.file, self.index.tolist(), strict=True)
        return np.array([row for row, image in enumerate(own) if image not in known], np.int64)


def read_particles(path: Path, pixel_size_A: float | None = None) -> ParticleRows:
    """Read a particles STAR file of RELION 3.0 to 5.

    Parameters
    ----------
    pixel_size_A
        Pixel size in Angstrom, of the micrographs where the file tells that of the images
        alone, of the images where it tells none.

    Raises
    ------
    InputError
        There are no images in it, a value is no number, or nothing tells a pixel size.
    """
    blocks = read_star_blocks(path, _WANTED)
    table = with_labels(blocks.values(), (IMAGE,), PARTICLE_BLOCKS)
    if table is None:
        raise no_particles(path, list(blocks.values()))
    if not len(table):
        raise InputError(f"{path}: no particles in it; expected at least one row")
    tell_unread(path, blocks.values(), table, (IMAGE,))
    images = tuple(table.columns["rlnImageName"])
    parsed = [_image(path, number, text) for number, text in enumerate(images, 1)]
    optics = optics_table(blocks)
    names = table.columns.get("rlnMicrographName")
    merit = _optional(path, table, "rlnAutopickFigureOfMerit")
    return ParticleRows(
        path=path,
        image=images,
        file=tuple(file for _, file in parsed),
        index=np.array([index for index, _ in parsed], np.int64),
        pixel_size_A=_pixel_sizes(path, table, optics, pixel_size_A),
        micrograph=None if names is None else tuple(names),
        x_px=_optional(path, table, "rlnCoordinateX"),
        y_px=_optional(path, table, "rlnCoordinateY"),
        position_pixel_A=_position_pixels(path, table, optics, pixel_size_A),
        merit=None if merit is None else known_merit(merit),
        sign=sign_column(path, SIGN, table.columns[SIGN]) if SIGN in table.columns else None,
    )


def _image(path: Path, row: int, text: str) -> tuple[int, str]:
    number, at, file = text.partition("@")
    if not at:
        return 0, in_project(text)
    if not (number.isascii() and number.isdigit()) or int(number) < 1 or not file:
        raise InputError(
            f"{path}, row {row}: rlnImageName is {text!r}, expected NUMBER@STACK with a number "
            "from 1"
        )
    return int(number) - 1, in_project(file)


def _pixel_sizes(
    path: Path, table: StarTable, optics: StarTable | None, given: float | None
) -> Float:
    found = group_values(path, table, optics, "rlnImagePixelSize")
    if found is None or not np.isfinite(found).all():
        legacy = legacy_pixel_size(path, table)
        found = found if legacy is None else legacy
    if found is not None and np.isfinite(found).all():
        return found
    if given is None:
        raise InputError(
            f"{path}: it tells no pixel size of its images (rlnImagePixelSize); "
            f"give {option('pixel_size')}"
        )
    return np.full(len(table), given)


def _position_pixels(
    path: Path, table: StarTable, optics: StarTable | None, given: float | None
) -> Float:
    """Return the pixel size of the coordinates, NaN where it cannot be known.

    The particles of 3.1 and 5 keep that of the movies (rlnMicrographOriginalPixelSize),
    which is another one where motion correction has binned: it is not taken.
    """
    found = group_values(path, table, optics, "rlnMicrographPixelSize")
    if found is not None:
        return found
    return np.full(len(table), np.nan if given is None else given)


def _optional(path: Path, table: StarTable, name: str) -> Float | None:
    return optional_column(path, name, table.columns[name]) if name in table.columns else None
