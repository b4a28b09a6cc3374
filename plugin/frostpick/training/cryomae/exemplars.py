"""The exemplars of a few-shot training: checked, and cut out in every position it needs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import LabelError, option
from frostpick.models.cryomae.geometry import CROP, PITCH, PX_PER_DIAMETER, WINDOW
from frostpick.models.cryomae.pooling import SIDE
from frostpick.points import first_within
from frostpick.training.examples import Points, TrainingImage
from frostpick.training.few import CRYOMAE, FEWEST, MEASURED, warn_of_few
from frostpick.training.tiles import mirrored

log = logging.getLogger(__name__)

#: Marks nearer than this, in diameters, are one particle marked twice.
TWICE = 0.25
#: Exemplars all within this many diameters of their middle are one clump.
CLUMP = 3.0
#: Places tried for each one wanted; fewer than one free in so many is a wrong diameter.
TRIES = 200
#: Tokens from the edge of a window at which the rings around the centre still fit in.
FIRST, LAST = SIDE // 2, WINDOW - 1 - SIDE // 2
#: Token that a window is centred on when its place is not drawn at random.
MIDDLE = WINDOW // 2

Place = tuple[int, float, float]


def check_exemplars(images: Sequence[TrainingImage], fewest: int = FEWEST) -> list[TrainingImage]:
    """Return the images with marks of the same particle merged.

    Raises
    ------
    LabelError
        Fewer than ``fewest`` exemplars are left.
    """
    checked = [replace(i, particles_yx=_merged(i.particles_yx)) for i in images]
    before, count = (sum(len(i.particles_yx) for i in part) for part in (images, checked))
    if count < before:
        log.warning(
            "%d marks lie within a quarter of a diameter of another one and count once; check "
            "the diameter if they are different particles",
            before - count,
        )
    if count < fewest:
        raise LabelError(
            f"few-shot picking needs at least {fewest} exemplars inside the micrographs, found "
            f"{count}; mark about {MEASURED} particles on one micrograph"
        )
    warn_of_few(count, CRYOMAE, "exemplars")
    for image in checked:
        if _one_clump(image):
            log.warning(
                "%s: all exemplars lie close together; mark particles all over the micrograph, "
                "in thin and in thick ice",
                image.micrograph_id,
            )
    return checked


def _merged(yx: Points) -> Points:
    return yx[first_within(yx, TWICE * PX_PER_DIAMETER)]


def _one_clump(image: TrainingImage) -> bool:
    yx, reach = image.particles_yx, CLUMP * PX_PER_DIAMETER
    if len(yx) < FEWEST or max(image.pixels.shape) < 4 * reach:
        return False
    return bool(np.hypot(*(yx - yx.mean(0)).T).max() < reach)


@dataclass(frozen=True)
class Windows:
    """Windows with the token each is centred on.

    Parameters
    ----------
    crops
        ``(b, 1, CROP, CROP)`` float32.
    centres
        ``(b, 2)`` int64, row and column of a token.
    """

    crops: torch.Tensor
    centres: torch.Tensor

    def to(self, device: torch.device) -> Windows:
        """Return the windows on a device."""
        return Windows(self.crops.to(device), self.centres.to(device))


def cut(pixels: NDArray[np.float32], y: float, x: float, half: int) -> NDArray[np.float32]:
    """Return the square of ``2 * half + 1`` pixels around the nearest pixel, mirrored at edges."""
    reach = np.arange(-half, half + 1)
    rows = mirrored(round(y) + reach, pixels.shape[0])
    columns = mirrored(round(x) + reach, pixels.shape[1])
    return np.ascontiguousarray(pixels[rows[:, None], columns[None, :]])


def turned(square: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
    """Return a square turned by ``turn % 4`` quarters, and mirrored first when ``turn >= 4``."""
    return np.rot90(square[:, ::-1] if turn >= 4 else square, turn % 4)


def window(
    pixels: NDArray[np.float32], y: float, x: float, turn: int, corner: tuple[int, int]
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Cut a window that shows a place, turned, somewhere in its middle.

    Parameters
    ----------
    turn
        See `turned`.
    corner
        Rows and columns of the window's first pixel before the place; see `CORNERS`.

    Returns
    -------
    ndarray
        ``(CROP, CROP)``.
    tuple
        The token that the place lies in.
    """
    half = CROP  # more than any corner asks for
    square = turned(cut(pixels, y, x, half), turn)
    top, left = half - corner[0], half - corner[1]
    return square[top : top + CROP, left : left + CROP], (corner[0] // PITCH, corner[1] // PITCH)


#: Distances, from and below, of a place from the first pixel of its window: every token whose
#: rings fit in, and every pixel of it.
CORNERS = (PITCH * FIRST, PITCH * (LAST + 1))
#: The distance at which a place is at the centre of the middle token.
STILL = (PITCH * MIDDLE + PITCH // 2,) * 2


def windows(
    images: Sequence[TrainingImage],
    places: Sequence[Place],
    turns: Sequence[int],
    corners: Sequence[tuple[int, int]],
) -> Windows:
    """Cut one window for each place ``(image, y, x)``; see `window`."""
    crops, centres = [], []
    for (index, y, x), turn, corner in zip(places, turns, corners, strict=True):
        crop, token = window(images[index].pixels, y, x, turn, corner)
        crops.append(crop)
        centres.append(token)
    stacked = torch.from_numpy(np.stack(crops)[:, None].astype(np.float32))
    return Windows(stacked, torch.tensor(centres))


def all_places(images: Sequence[TrainingImage]) -> list[Place]:
    """Return every exemplar."""
    return [(k, float(y), float(x)) for k, i in enumerate(images) for y, x in i.particles_yx]


def random_places(
    images: Sequence[TrainingImage], count: int, away: float, rng: np.random.Generator
) -> list[Place]:
    """Draw places, each image as likely as another, away from exemplars.

    Parameters
    ----------
    away
        Smallest distance to an exemplar, in working pixels.

    Raises
    ------
    LabelError
        Exemplars are nearly everywhere.
    """
    places: list[Place] = []
    for _ in range(TRIES * count):
        if len(places) == count:
            return places
        index = int(rng.integers(len(images)))
        image = images[index]
        yx = rng.random(2) * image.pixels.shape
        near = np.hypot(*(image.particles_yx - yx).T) < away
        if not near.any():
            places.append((index, float(yx[0]), float(yx[1])))
    raise LabelError(
        f"exemplars cover the micrographs: hardly a place is {away / PX_PER_DIAMETER:.2g} "
        f"diameters from all of them; check {option('diameter')}, "
        "or give micrographs without exemplars too"
    )


def random_corners(count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Draw where in its window each place lies."""
    return [(int(y), int(x)) for y, x in rng.integers(*CORNERS, (count, 2))]
