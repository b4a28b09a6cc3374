"""Draw training tiles: where they lie, how they are turned, and what their locations are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.networks.dense import DenseNetwork
from frostpick.training.examples import Points, TrainingImage

#: Salts of the independent random streams of one step.
PLACE, TURN, LABEL_CYCLE, CELL_CYCLE = range(4)


@dataclass(frozen=True)
class TileGeometry:
    """Sides and radii of tiles, in working pixels.

    ``outputs`` per side is odd, so a tile's centre is both a pixel and an
    output, and the grid of outputs falls on itself under every flip and
    quarter turn.
    """

    outputs: int
    stride: int
    field: int
    label_radius: float
    guard: float

    def __post_init__(self) -> None:
        if self.outputs % 2 == 0:
            raise ValueError(f"a tile needs an odd number of outputs a side, got {self.outputs}")

    @classmethod
    def of(
        cls, network: DenseNetwork, outputs: int, label_radius: float, guard: float
    ) -> TileGeometry:
        """Return the geometry of tiles for ``network``."""
        return cls(outputs, network.stride, network.receptive_field, label_radius, guard)

    @property
    def side(self) -> int:
        """Tile side in pixels."""
        return self.field + self.stride * (self.outputs - 1)

    @property
    def crop(self) -> int:
        """Side of the square that holds the tile at any angle, odd."""
        return 2 * int(np.ceil((self.side - 1) / 2 * np.sqrt(2.0))) + 3

    def offsets(self) -> NDArray[np.float64]:
        """Return ``(n, n, 2)`` places of the outputs relative to the tile's centre pixel."""
        line = self.stride * (np.arange(self.outputs) - (self.outputs - 1) / 2)
        return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)


@dataclass(frozen=True)
class TilePlan:
    """Where one tile lies: its centre in an image, and the turn about it.

    ``turn`` is the 2 x 2 matrix that takes a (y, x) offset in the tile to one
    in the image.
    """

    image: int
    centre: tuple[int, int]
    turn: NDArray[np.float64]
    by_label: bool


@dataclass(frozen=True)
class Targets:
    """What the locations of a batch are, each ``(b, n, n)`` bool.

    Attributes
    ----------
    positive
        On the disc of a labelled particle.
    empty
        On the disc of a place labelled as none.
    unlabelled
        A draw from all locations of the data: inside the image, outside what is
        held out, of a tile placed without regard to labels.
    worth
        ``(b, n, n)`` float32, what a positive location counts: the most that a label there is
        worth. None where every label counts fully.
    """

    positive: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    unlabelled: NDArray[np.bool_]
    worth: NDArray[np.float32] | None = None


class TileSampler:
    """Draws the tiles of a step from ``(seed, step)`` alone.

    A share of the tiles hold a label, each label equally often; the others walk
    through all cells of all images in a random order, so that every part of
    every image is seen equally often.
    """

    def __init__(
        self,
        images: Sequence[TrainingImage],
        geometry: TileGeometry,
        *,
        tiles: int,
        label_share: float,
        any_angle: float,
        seed: int,
    ) -> None:
        self.images = images
        self.geometry = geometry
        self.any_angle = any_angle
        self.seed = seed
        self.by_label = round(tiles * label_share)
        self.by_cell = tiles - self.by_label
        g = geometry
        self.particles = [im.training_particles(g.guard) for im in images]
        worths = [im.training_worth(g.guard) for im in images]
        self.worths = worths if any((one < 1.0).any() for one in worths) else None
        self.empty = [_outside(im, im.empty_yx, g.guard) for im in images]
        self.positives = _places(images, self.particles)
        self.leading: list[tuple[int, float, float]] = []
        self.labels = self.positives + _places(images, self.empty)
        self.cells = [cell for i, im in enumerate(images) for cell in _cells(i, im, g)]
        # One permutation of each kind, for as long as it lasts: of a thousand micrographs'
        # cells, drawn anew for each tile, it took longer than a tenth of a step.
        self._orders: dict[tuple[int, int], tuple[int, NDArray[np.int64]]] = {}
        if (self.by_label and not self.positives) or not self.cells:
            raise ValueError("a sampler needs at least one particle and one cell to train on")

    def lead_with(self, particles: Sequence[Points]) -> None:
        """Let the first tile of each step hold one of these, ``(n, 2)`` of each image, if any."""
        self.leading = _places(self.images, particles)

    @cached_property
    def labelled_share(self) -> float:
        """Fraction of the locations that train which lie on the disc of a label."""
        area = float(sum(im.pixels.size for im in self.images if im.trains))
        area -= sum(im.held_out.area for im in self.images if im.trains and im.held_out)
        known = float(len(self.positives))
        if self.worths is not None:
            trains = zip(self.worths, self.images, strict=True)
            known = float(sum(worth.sum() for worth, im in trains if im.trains))
        return known * np.pi * self.geometry.label_radius**2 / max(area, 1.0)

    def plan(self, step: int) -> list[TilePlan]:
        """Return the tiles of a step."""
        rng = np.random.default_rng((self.seed, PLACE, step))
        reach = self.geometry.stride * (self.geometry.outputs // 2)
        plans = []
        for k in range(self.by_label):
            # the first tile always holds a particle: no objective is defined without one
            pool = self.labels if k else self.leading or self.positives
            image, y, x = pool[self._cycle(LABEL_CYCLE, len(pool), self.by_label * step + k)]
            shift = rng.uniform(-0.7, 0.7, 2) * reach
            plans.append(self._tile(rng, image, y + shift[0], x + shift[1], by_label=True))
        for k in range(self.by_cell):
            cell = self.cells[self._cycle(CELL_CYCLE, len(self.cells), self.by_cell * step + k)]
            image, top, left, height, width = cell
            place = rng.uniform(0.0, 1.0, 2) * (height, width)
            plans.append(self._tile(rng, image, top + place[0], left + place[1], by_label=False))
        return plans

    def _cycle(self, salt: int, size: int, position: int) -> int:
        """Return element ``position`` of an endless run of fresh permutations."""
        turn, place = divmod(position, size)
        known, order = self._orders.get((salt, size), (-1, None))
        if order is None or known != turn:
            order = np.random.default_rng((self.seed, salt, turn)).permutation(size)
            self._orders[salt, size] = (turn, order)
        return int(order[place])

    def _tile(
        self, rng: np.random.Generator, image: int, y: float, x: float, *, by_label: bool
    ) -> TilePlan:
        h, w = self.images[image].pixels.shape
        centre = (int(np.clip(round(y), 0, h - 1)), int(np.clip(round(x), 0, w - 1)))
        turn = random_turn(rng, any_angle=rng.uniform() < self.any_angle)
        return TilePlan(image, centre, turn, by_label)

    def crops(self, plans: Sequence[TilePlan]) -> NDArray[np.float32]:
        """Cut ``(b, crop, crop)`` squares around the centres, mirrored at the borders."""
        half = self.geometry.crop // 2
        reach = np.arange(-half, half + 1)
        out = np.empty((len(plans), len(reach), len(reach)), np.float32)
        for k, plan in enumerate(plans):
            pixels = self.images[plan.image].pixels
            rows = mirrored(plan.centre[0] + reach, pixels.shape[0])
            columns = mirrored(plan.centre[1] + reach, pixels.shape[1])
            out[k] = pixels[rows[:, None], columns[None, :]]
        return out

    def targets(self, plans: Sequence[TilePlan]) -> Targets:
        """Return what each location of the tiles is."""
        n = self.geometry.outputs
        offsets = self.geometry.offsets()
        shape = (len(plans), n, n)
        positive, empty = np.zeros(shape, bool), np.zeros(shape, bool)
        unlabelled = np.zeros(shape, bool)
        radius = self.geometry.label_radius
        worth = None if self.worths is None else np.zeros(shape, np.float32)
        for k, plan in enumerate(plans):
            image = self.images[plan.image]
            places = np.asarray(plan.centre) + offsets @ plan.turn.T
            usable = _usable(image, places, self.geometry.guard)
            positive[k] = usable & on_discs(places, self.particles[plan.image], radius)
            empty[k] = usable & on_discs(places, self.empty[plan.image], radius) & ~positive[k]
            unlabelled[k] = usable & (not plan.by_label)
            if worth is not None and self.worths is not None:
                own = self.particles[plan.image], self.worths[plan.image]
                worth[k] = most_worth(places, *own, radius)
        return Targets(positive, empty, unlabelled, worth)


def random_turn(rng: np.random.Generator, *, any_angle: bool) -> NDArray[np.float64]:
    """Return a random rotation with or without a flip: any angle, or a quarter turn (exact)."""
    if any_angle:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        c, s = float(np.cos(angle)), float(np.sin(angle))
    else:
        c, s = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(rng.integers(4))]
    turn = np.array([[c, -s], [s, c]])
    return turn @ np.diag([1.0, -1.0]) if rng.integers(2) else turn


def turn_tiles(crops: torch.Tensor, turns: torch.Tensor, side: int) -> torch.Tensor:
    """Resample turned tiles out of larger squares, bilinear, on the device of ``crops``.

    Parameters
    ----------
    crops
        ``(b, c, c)`` float32, c odd, centred on the tiles' centres.
    turns
        ``(b, 2, 2)`` float32, tile (y, x) offset to image offset.
    side
        Side of the tiles, odd.

    Returns
    -------
    Tensor
        ``(b, 1, side, side)``; quarter turns and flips move pixels without interpolation.
    """
    half_crop, half = (crops.shape[-1] - 1) / 2, (side - 1) / 2
    line = torch.arange(side, dtype=torch.float32, device=crops.device) - half
    offsets = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1)
    moved = torch.einsum("hwj,bij->bhwi", offsets, turns) / half_crop
    return torch.nn.functional.grid_sample(
        crops[:, None], moved.flip(-1), mode="bilinear", padding_mode="border", align_corners=True
    )


def mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return indices folded into ``0 .. size - 1`` by mirrors at the edge pixels' centres."""
    if size == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * size - 2)
    inside: NDArray[np.int64] = np.minimum(folded, 2 * size - 2 - folded)
    return inside


def on_discs(places: NDArray[np.float64], centres: Points, radius: float) -> NDArray[np.bool_]:
    """Return which of ``(h, w, 2)`` places lie within ``radius`` of any of ``(m, 2)`` centres."""
    hit = np.zeros(places.shape[:2], bool)
    low, high = places.min((0, 1)) - radius, places.max((0, 1)) + radius
    near = centres[((centres >= low) & (centres <= high)).all(-1)]
    for centre in near:
        hit |= ((places - centre) ** 2).sum(-1) <= radius**2
    return hit


def most_worth(
    places: NDArray[np.float64], centres: Points, worth: NDArray[np.float64], radius: float
) -> NDArray[np.float32]:
    """Return ``(h, w)``, the most that a label whose disc a place is on is worth; 0 off discs."""
    most = np.zeros(places.shape[:2], np.float32)
    low, high = places.min((0, 1)) - radius, places.max((0, 1)) + radius
    near = ((centres >= low) & (centres <= high)).all(-1)
    centres, worth = centres[near], worth[near]
    for value in np.unique(worth):  # rising: a later one is worth more
        most[on_discs(places, centres[worth == value], radius)] = value
    return most


def _usable(image: TrainingImage, places: NDArray[np.float64], guard: float) -> NDArray[np.bool_]:
    h, w = image.pixels.shape
    inside = (places >= -0.5).all(-1) & (places[..., 0] <= h - 0.5) & (places[..., 1] <= w - 0.5)
    if image.held_out is not None:
        inside &= ~image.held_out.contains(places, guard)
    usable: NDArray[np.bool_] = inside
    return usable


def _outside(image: TrainingImage, points: Points, guard: float) -> Points:
    if image.held_out is None:
        return points
    return points[~image.held_out.contains(points, guard)]


def _places(
    images: Sequence[TrainingImage], points: Sequence[Points]
) -> list[tuple[int, float, float]]:
    """Return (image, y, x) of the points on images that train."""
    return [
        (i, y, x) for i, image in enumerate(images) for y, x in points[i].tolist() if image.trains
    ]


def _cells(
    index: int, image: TrainingImage, geometry: TileGeometry
) -> list[tuple[int, float, float, float, float]]:
    """Cut an image into cells about as large as a tile's output area: (image, y, x, h, w)."""
    h, w = image.pixels.shape
    span = geometry.stride * geometry.outputs
    rows, columns = max(1, round(h / span)), max(1, round(w / span))
    height, width = h / rows, w / columns
    cells = [
        (index, r * height, c * width, height, width) for r in range(rows) for c in range(columns)
    ]
    held = image.held_out
    if held is None:
        return cells
    centres = np.array([(y + b / 2, x + a / 2) for _, y, x, b, a in cells])
    return [cell for cell, out in zip(cells, held.contains(centres), strict=True) if not out]
