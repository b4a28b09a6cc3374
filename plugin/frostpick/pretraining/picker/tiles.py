"""Tiles of a corpus where every particle is known: each output is a particle's or it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.pretraining.picker.corpus_files import CorpusImage, as_grey
from frostpick.training.tiles import TileGeometry, mirrored, on_discs

#: Salt of the random stream of a step.
STEP = 611
#: Edges of the classes of views that tiles are drawn from evenly: extent as a share of the
#: stated diameter, and hollowness.
EXTENTS, HOLLOWNESS = (0.35, 0.5, 0.62, 0.74, 0.86), (0.45,)
#: How many times more often than its share a rare class is drawn at most.
CAP = 12.0
#: Radius about a decoy that may be a view of the particle, in radii of a label: nothing there
#: is learned.
UNSURE = 1.6
Generator = np.random.Generator
#: The particles of a class of views: micrographs that have some, and their rows.
ViewClass = list[tuple[int, NDArray[np.int64]]]


@dataclass(frozen=True)
class Batch:
    """Tiles ``(b, 1, side, side)`` float32; targets and weights ``(b, n, n)`` float32.

    A weight is 0 for outputs outside the micrograph and on what may be a view of the particle,
    else 1.
    """

    tiles: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


class SupervisedTiles:
    """Draws the tiles of a step from ``(seed, step)`` alone.

    Parameters
    ----------
    images
        Corpus.
    geometry
        Of the tiles.
    tiles
        Tiles a step, each of another random micrograph.
    on_particle, on_decoy
        Fractions of the tiles placed near a particle and near a decoy; the others fall
        anywhere. Particles are drawn evenly over classes of views (`view_classes`).
    """

    def __init__(
        self,
        images: Sequence[CorpusImage],
        geometry: TileGeometry,
        *,
        tiles: int,
        on_particle: float,
        on_decoy: float,
        seed: int,
    ) -> None:
        self.images, self.geometry = images, geometry
        self.tiles, self.seed = tiles, seed
        self.on_particle, self.on_decoy = on_particle, on_decoy
        self.classes = view_classes([image.outlines for image in images])
        self.chances = capped_evenly([sum(len(rows) for _, rows in some) for some in self.classes])

    def batch(self, step: int) -> Batch:
        """Return the tiles of a step."""
        rng = np.random.default_rng((self.seed, STEP, step))
        made = [self._tile(rng) for _ in range(self.tiles)]
        tiles, target, weight = (np.stack(parts) for parts in zip(*made, strict=True))
        return Batch(
            torch.from_numpy(tiles[:, None]), torch.from_numpy(target), torch.from_numpy(weight)
        )

    def _tile(
        self, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        image, (y, x) = self._place(rng)
        g = self.geometry
        h, w = image.shape
        reach = np.arange(g.side) - g.side // 2
        rows, columns = mirrored(y + reach, h), mirrored(x + reach, w)
        tile = as_grey(image.pixels[rows[:, None], columns[None, :]])
        places = np.array([y, x]) + g.offsets()
        inside = (places >= -0.5).all(-1) & (places[..., 0] <= h - 0.5)
        weight = (inside & (places[..., 1] <= w - 0.5)).astype(np.float32)
        on_particle = on_discs(places, image.particles_yx, g.label_radius)
        unsure = on_discs(places, image.unsure_yx, UNSURE * g.label_radius)
        target = on_particle.astype(np.float32)
        weight[unsure & ~on_particle] = 0.0
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        return (
            _turned(tile, turns, flip=flip),
            _turned(target, turns, flip=flip),
            _turned(weight, turns, flip=flip),
        )

    def _place(self, rng: Generator) -> tuple[CorpusImage, tuple[int, int]]:
        """Draw the micrograph and the centre of a tile."""
        kind = rng.uniform()
        spread = 0.4 * self.geometry.stride * self.geometry.outputs
        aside = rng.uniform(-spread, spread, 2)
        if kind < self.on_particle and len(self.chances):
            some = self.classes[int(rng.choice(len(self.chances), p=self.chances))]
            number, rows = some[int(rng.integers(len(some)))]
            image = self.images[number]
            place = image.particles_yx[rows[int(rng.integers(len(rows)))]] + aside
        else:
            image = self.images[int(rng.integers(len(self.images)))]
            place = rng.uniform(0.0, 1.0, 2) * image.shape
            if kind < self.on_particle + self.on_decoy and len(image.decoys_yx):
                place = image.decoys_yx[int(rng.integers(len(image.decoys_yx)))] + aside
        h, w = image.shape
        y, x = np.clip(np.round(place), 0, (h - 1, w - 1)).astype(int)
        return image, (int(y), int(x))


def view_classes(outlines: Sequence[NDArray[np.float64]]) -> list[ViewClass]:
    """Return the classes of views that there are.

    Parameters
    ----------
    outlines
        By micrograph, ``(n, 2)`` extents and hollownesses of its particles.
    """
    classes: dict[int, ViewClass] = {}
    for number, outline in enumerate(outlines):
        size = np.digitize(outline[:, 0], EXTENTS)
        which = size * (len(HOLLOWNESS) + 1) + np.digitize(outline[:, 1], HOLLOWNESS)
        for one in np.unique(which):
            classes.setdefault(int(one), []).append((number, np.flatnonzero(which == one)))
    return [classes[one] for one in sorted(classes)]


def capped_evenly(counts: Sequence[int]) -> NDArray[np.float64]:
    """Return chances that are even, but for none more than `CAP` times its share.

    What a rare class may not have goes to the others, evenly.
    """
    share = np.asarray(counts, np.float64)
    if not len(share) or share.sum() == 0:
        return np.zeros(0)
    limit = CAP * share / share.sum()
    chances = np.zeros(len(share))
    for _ in range(len(share)):
        free = chances < limit - 1e-12
        rest = 1.0 - chances.sum()
        if rest <= 1e-12 or not free.any():
            break
        chances[free] = np.minimum(limit[free], chances[free] + rest / free.sum())
    return np.asarray(chances / chances.sum())


def _turned(square: NDArray[np.float32], turns: int, *, flip: bool) -> NDArray[np.float32]:
    turned = np.rot90(square, turns)
    return np.ascontiguousarray(turned[::-1] if flip else turned)
