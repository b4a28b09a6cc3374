"""Tiles of a corpus where every particle is known: each output is a particle's or it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.recipes.corpus_files import CorpusImage
from frostpick.training.tiles import TileGeometry, mirrored, on_discs

#: Salt of the random stream of a step.
STEP = 611
Generator = np.random.Generator


@dataclass(frozen=True)
class Batch:
    """Tiles ``(b, 1, side, side)`` float32; targets and weights ``(b, n, n)`` float32.

    A weight is 0 for outputs outside the micrograph, else 1.
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
        anywhere.
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
        image = self.images[int(rng.integers(len(self.images)))]
        g = self.geometry
        h, w = image.pixels.shape
        y, x = self._centre(rng, image)
        reach = np.arange(g.side) - g.side // 2
        rows, columns = mirrored(y + reach, h), mirrored(x + reach, w)
        tile = image.pixels[rows[:, None], columns[None, :]].astype(np.float32)
        places = np.array([y, x]) + g.offsets()
        inside = (places >= -0.5).all(-1) & (places[..., 0] <= h - 0.5)
        weight = (inside & (places[..., 1] <= w - 0.5)).astype(np.float32)
        target = on_discs(places, image.particles_yx, g.label_radius).astype(np.float32)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        return (
            _turned(tile, turns, flip=flip),
            _turned(target, turns, flip=flip),
            _turned(weight, turns, flip=flip),
        )

    def _centre(self, rng: Generator, image: CorpusImage) -> tuple[int, int]:
        h, w = image.pixels.shape
        kind = rng.uniform()
        pool = image.particles_yx if kind < self.on_particle else image.decoys_yx
        if kind < self.on_particle + self.on_decoy and len(pool):
            spread = 0.4 * self.geometry.stride * self.geometry.outputs
            place = pool[int(rng.integers(len(pool)))] + rng.uniform(-spread, spread, 2)
        else:
            place = rng.uniform(0.0, 1.0, 2) * (h, w)
        y, x = np.clip(np.round(place), 0, (h - 1, w - 1)).astype(int)
        return int(y), int(x)


def _turned(square: NDArray[np.float32], turns: int, *, flip: bool) -> NDArray[np.float32]:
    turned = np.rot90(square, turns)
    return np.ascontiguousarray(turned[::-1] if flip else turned)
