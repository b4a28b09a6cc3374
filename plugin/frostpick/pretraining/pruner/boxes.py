"""Labelled boxes of simulated micrographs: what a pruner learns its classes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from frostpick.models.pruner.box_network import CLASSES
from frostpick.points import nearest_distance
from frostpick.pruning.boxes import Boxes, BoxGeometry, boxes_of_micrograph
from frostpick.simulate import MASK_LABELS, SimulatedMicrograph

#: Class of a box by the kind of the object in its middle.
CLASS_OF_KIND = {
    "particle": "particle",
    "fragment": "fragment",
    "aggregate": "aggregate",
    "speck": "speck",
    "ice_crystal": "ice",
    "free_micelle": "micelle",
}


@dataclass(frozen=True)
class Drawing:
    """How many boxes are taken of a micrograph, and how far from where they belong.

    Parameters
    ----------
    particles, background, carbon
        Most boxes of these; all other objects give one each.
    off_centre
        Share of the background boxes that lie beside a particle, between 0.45 and 0.9
        diameters off.
    blobs
        Share of the background boxes where the noise looks most like a dark blob of the
        particle's size: with those off the centre what pickers take by mistake.
    jitter
        Deviation of a pick's centre in diameters, at most 0.2.
    wrong_diameter
        Largest factor by which the diameter of a box is wrong.
    """

    particles: int = 40
    background: int = 40
    carbon: int = 8
    off_centre: float = 0.25
    blobs: float = 0.45
    jitter: float = 0.06
    wrong_diameter: float = 1.15


def simulated_boxes(
    micrograph: SimulatedMicrograph,
    rng: np.random.Generator,
    *,
    drawing: Drawing | None = None,
    side: int = 64,
    px_per_diameter: float = 32.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return boxes ``(n, side, side)`` float32 and their classes ``(n,)`` int64.

    A particle that is cut by the border, that lies on carbon or within 0.3 diameters of
    an object that is none, is left out: what it should be called is a matter of taste.
    """
    drawing = drawing or Drawing()
    places = _places(micrograph, rng, drawing)
    factor = np.exp(rng.uniform(-1, 1) * np.log(drawing.wrong_diameter))
    geometry = BoxGeometry(micrograph.diameter_A * factor, side, px_per_diameter)
    parts = list(
        boxes_of_micrograph(
            micrograph.image, places[:, 0], places[:, 1], micrograph.pixel_size_A, geometry
        )
    )
    boxes = Boxes.concat(parts, side)
    classes = torch.from_numpy(places[:, 2].astype(np.int64))
    return boxes.data[boxes.usable], classes[boxes.usable]


def _places(
    micrograph: SimulatedMicrograph, rng: np.random.Generator, drawing: Drawing
) -> NDArray[np.float64]:
    """Return x, y and class of boxes, ``(n, 3)``."""
    truth = micrograph.truth
    diameter = micrograph.diameter_A / micrograph.pixel_size_A
    xy = np.column_stack([truth.x_px, truth.y_px])
    is_particle = truth.kind == "particle"
    particles, others = xy[is_particle], xy[~is_particle]
    height, width = micrograph.mask.shape
    mask = micrograph.mask

    def under(at: NDArray[np.float64]) -> NDArray[np.uint8]:
        column = np.clip(np.round(at[:, 0]).astype(int), 0, width - 1)
        row = np.clip(np.round(at[:, 1]).astype(int), 0, height - 1)
        return np.asarray(mask[row, column])

    rows: list[NDArray[np.float64]] = []

    def take(at: NDArray[np.float64], name: str, most: int | None = None) -> None:
        chosen = at if most is None else at[rng.permutation(len(at))[:most]]
        jitter = drawing.jitter * diameter * rng.standard_normal(chosen.shape)
        jitter = np.clip(jitter, -0.2 * diameter, 0.2 * diameter)
        column = np.full((len(chosen), 1), CLASSES.index(name))
        rows.append(np.hstack([chosen + jitter, column]))

    clean = ~truth.edge[is_particle] & (nearest_distance(particles, others) > 0.3 * diameter)
    clean &= ~np.isin(under(particles), [MASK_LABELS["carbon"], MASK_LABELS["aggregate"]])
    take(particles[clean], "particle", drawing.particles)
    for kind, name in CLASS_OF_KIND.items():
        if name == "particle":
            continue
        these = xy[truth.kind == kind]
        # A decoy that a particle overlaps is neither.
        take(these[nearest_distance(these, particles) > 0.5 * diameter], name)
    free = rng.uniform((0, 0), (width, height), (8 * drawing.background + 100, 2))
    carbon = free[under(free) == MASK_LABELS["carbon"]]
    take(carbon, "carbon", drawing.carbon)
    near = _beside(particles, diameter, round(drawing.off_centre * drawing.background), rng)
    empty = (under(free) == 0) & (nearest_distance(free, xy) > 0.5 * diameter)
    empty_xy = free[empty]
    blobs = round(drawing.blobs * drawing.background)
    order = np.argsort(_blob_filter(micrograph.image, diameter, empty_xy))
    take(empty_xy[order[:blobs]], "background")
    take(empty_xy[order[blobs:]], "background", drawing.background - len(near) - blobs)
    near = near[(nearest_distance(near, particles) > 0.45 * diameter) & (under(near) == 0)]
    take(near, "background")
    return np.concatenate(rows)


def _blob_filter(
    image: NDArray[np.float32], diameter: float, at: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return a difference of Gaussians at positions, most negative on a dark blob."""
    band = gaussian_filter(image, diameter / 4.5) - gaussian_filter(image, diameter / 2.5)
    rows, columns = (np.clip(np.round(at[:, k]).astype(int), 0, None) for k in (1, 0))
    rows, columns = np.minimum(rows, image.shape[0] - 1), np.minimum(columns, image.shape[1] - 1)
    return np.asarray(band[rows, columns])


def _beside(
    particles: NDArray[np.float64], diameter: float, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    if not len(particles):
        return np.zeros((0, 2))
    angle, reach = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.5, 0.9, count) * diameter
    beside = np.column_stack([np.cos(angle), np.sin(angle)]) * reach[:, None]
    return np.asarray(particles[rng.integers(len(particles), size=count)] + beside)
