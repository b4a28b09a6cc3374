"""The file to read first: boxes of a micrograph or of a stack, scored.

`prepare_group` and `score_prepared` are the science, in this order; `work.score_groups` is the
same for a job of many, with a reader ahead. The pruner may be fitted to the job's labels before
(`fit`); decisions need the scores of the whole job (`scoring`, then `judge`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import MicrographError
from frostpick.images import PixelSizes, is_machine_error
from frostpick.images.content import ImageFileError
from frostpick.images.stack import Stack
from frostpick.picking.read import read_with_pixel_size
from frostpick.pruning.box_scorer import BoxScorer, BoxScores
from frostpick.pruning.boxes import BATCH, Boxes, boxes_of_images, boxes_of_micrograph
from frostpick.pruning.groups import Group, PickGroup
from frostpick.pruning.plan import PrunePlan
from frostpick.types import ParticleStack

log = logging.getLogger(__name__)

#: Boxes narrower than this many diameters have too little ice around the particle.
TIGHT = 1.3


@dataclass(frozen=True)
class PreparedGroup:
    """Working boxes of a group, and what is known of its rows without a network.

    ``x_A, y_A`` are NaN, ``edge`` False and ``micrograph_id`` empty where unknown.
    """

    boxes: Boxes
    x_A: NDArray[np.float64]
    y_A: NDArray[np.float64]
    edge: NDArray[np.bool_]
    micrograph_id: NDArray[np.str_]


@dataclass(frozen=True)
class GroupScores:
    """A scored group; every column by the group's own order."""

    row: NDArray[np.int64]
    scores: BoxScores
    x_A: NDArray[np.float64]
    y_A: NDArray[np.float64]
    edge: NDArray[np.bool_]
    micrograph_id: NDArray[np.str_]


@dataclass(frozen=True)
class GroupFailure:
    """A group whose images cannot be read, and why."""

    name: str
    row: NDArray[np.int64]
    reason: str


class Told:
    """What the user was told already about the groups of a job.

    Parameters
    ----------
    plan
        Of the job.
    quiet
        Nothing is told of pixel sizes: who scores the groups tells it.
    """

    def __init__(self, plan: PrunePlan, *, quiet: bool = False) -> None:
        self.sizes = PixelSizes(plan.pixel_size_A, plan.geometry.diameter_A, quiet=quiet)
        self.tight_A: set[float] = set()


def prepare_group(group: Group, plan: PrunePlan, told: Told | None = None) -> PreparedGroup:
    """Return the working boxes of a group; `MicrographError` when it cannot be read."""
    told = told or Told(plan)
    if isinstance(group, PickGroup):
        return _prepare_picks(group, plan, told.sizes)
    return _prepare_stack(group.stack, plan, told.tight_A)


def score_prepared(scorer: BoxScorer, group: Group, prepared: PreparedGroup) -> GroupScores:
    """Return the scores of a group's boxes."""
    return GroupScores(
        row=group.row,
        scores=scorer(prepared.boxes),
        x_A=prepared.x_A,
        y_A=prepared.y_A,
        edge=prepared.edge,
        micrograph_id=prepared.micrograph_id,
    )


def _prepare_picks(group: PickGroup, plan: PrunePlan, sizes: PixelSizes) -> PreparedGroup:
    micrograph, picks = group.micrograph, group.picks
    image, pixel = read_with_pixel_size(micrograph, sizes)
    parts = boxes_of_micrograph(
        image.data,
        picks.x_px,
        picks.y_px,
        pixel,
        plan.geometry,
        light=plan.contrast == "light",
        completed=True,
    )
    ny, nx = image.data.shape
    near = np.minimum.reduce([picks.x_px, picks.y_px, nx - 1 - picks.x_px, ny - 1 - picks.y_px])
    # A centre off the image is at its edge whatever the border; without one, no other is.
    limit = plan.border * plan.geometry.diameter_A / pixel
    edge = (near <= -0.5) | (near < limit if limit > 0 else False)
    return PreparedGroup(
        Boxes.concat(list(parts), plan.geometry.side),
        picks.x_px * pixel,
        picks.y_px * pixel,
        edge,
        np.full(len(picks), micrograph.id),
    )


def _prepare_stack(stack: ParticleStack, plan: PrunePlan, tight_A: set[float]) -> PreparedGroup:
    n = len(stack)
    diameter = plan.geometry.diameter_A
    light = is_light(stack, plan)

    def boxes_of(images: torch.Tensor) -> Boxes:
        width_A = min(images.shape[1:]) * stack.pixel_size_A
        if width_A < TIGHT * diameter and width_A not in tight_A:
            tight_A.add(width_A)
            log.warning(
                "%s: boxes of %.0f A for particles of %.0f A leave no ice around them to compare "
                "with; expected at least %.0f A, or give the picks and their micrographs",
                stack.source.name,
                width_A,
                diameter,
                1.5 * diameter,
            )
        return boxes_of_images(images, stack.pixel_size_A, plan.geometry, light=light)

    parts = list(map_sections(stack, boxes_of))
    unknown = np.full(n, np.nan)
    scale = stack.position_pixel_A if stack.position_pixel_A is not None else np.nan
    return PreparedGroup(
        Boxes.concat(parts, plan.geometry.side),
        unknown if stack.x_px is None else stack.x_px * scale,
        unknown if stack.y_px is None else stack.y_px * scale,
        np.zeros(n, np.bool_),
        np.full(n, "") if stack.micrograph_id is None else stack.micrograph_id,
    )


def is_light(stack: ParticleStack, plan: PrunePlan) -> bool:
    """Return whether the particles of a stack are taken for light ones."""
    if plan.stack_contrast in ("dark", "light"):
        return plan.stack_contrast == "light"
    return stack.light is not False


def _check_size(found: tuple[int, int], told: tuple[int, int] | None) -> None:
    """Compare images with what the host says, which their pixel size and positions are for."""
    if told is not None and told != found:
        raise ImageFileError(
            f"images of {found[1]} x {found[0]} pixels; expected {told[1]} x {told[0]}, as their "
            "data set says: give the stack that the data set was made for"
        )


def map_sections(
    stack: ParticleStack, function: Callable[[torch.Tensor], Boxes]
) -> Iterator[Boxes]:
    """Apply a function to the images of a stack, ``BATCH`` at a time, in the order of the rows.

    Raises
    ------
    MicrographError
        The stack cannot be had or read, or lacks an image.
    OSError
        The machine or a disk failed, not this file.
    """
    name = stack.source.name
    try:
        with stack.source.fetch() as path:
            opened = Stack.open(path)
            _check_size(opened.header.shape, stack.shape)
            for start in range(0, len(stack), BATCH):
                images = opened.read(stack.index[start : start + BATCH])
                yield function(torch.from_numpy(images))
    except ImageFileError as error:
        raise MicrographError(name, str(error)) from error
    except OSError as error:
        if is_machine_error(error):
            raise
        raise MicrographError(
            name, f"cannot be read ({error.strerror or error}); expected a stack of particles"
        ) from error
