"""The kinds of repeated objects in pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.repeated.search import ICE, Kind, Picture, offered
from frostpick.report.boxes import box_mosaic
from frostpick.report.figure import Figure
from frostpick.training.smoothed_box import smoothed_box

#: Members that are drawn, in rows of so many, and kinds that are drawn.
SHOWN, COLUMNS, MOST_KINDS = 16, 8, 6
#: Side of a box and deviation of the Gaussian that smooths it, in diameters.
SIDE, SMOOTH = 1.5, 0.06


def repeated_figures(
    pictures: Sequence[Picture], kinds: Sequence[Kind], job: str = ""
) -> list[Figure]:
    """Draw the most typical members of each kind, smoothed, in the order of the kinds.

    Parameters
    ----------
    job
        What a training calls the job whose kinds they are.
    """
    figures = []
    for number, kind in enumerate(kinds[:MOST_KINDS], 1):
        boxes = [
            _seen(pictures[int(image)], yx)
            for image, yx in zip(kind.picture[:SHOWN], kind.yx[:SHOWN], strict=True)
        ]
        remark = f"It is {ICE}." if kind.is_ice else "Mostly picked."
        if kind.is_missed:
            more = offered(job, [number])
            remark = f"Mostly not picked: if it is a particle, label some of it{more}."
        caption = (
            f"Kind {number} of what repeats, found without a model: {len(kind)} seen on "
            f"{len(np.unique(kind.picture))} of {len(pictures)} micrographs, noise of the same "
            f"spectrum has about {kind.of_noise:.0f}; {kind.picked:.0%} are picked. {remark} "
            "The most typical ones, smoothed, each with its own grey scale."
        )
        figures.append(
            box_mosaic(boxes, name=f"repeated_objects_{number}", caption=caption, columns=COLUMNS)
        )
    return figures


def _seen(picture: Picture, yx: NDArray[np.float64]) -> NDArray[np.float32]:
    px = picture.px_per_diameter
    return smoothed_box(picture.pixels, yx, SIDE * px, SMOOTH * px)
