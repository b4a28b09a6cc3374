"""Windows for the pretraining of the encoder: of simulated micrographs, and of anybody's."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import InputError, MicrographError, option
from frostpick.images import PixelSizes
from frostpick.models.card import PreprocessSpec
from frostpick.models.cryomae.geometry import PX_PER_DIAMETER
from frostpick.picking.read import read_with_pixel_size
from frostpick.preprocess import WorkingImage, preprocess
from frostpick.pretraining.cryomae.tiles import Tiles, cut_tiles
from frostpick.sampling import Sampling
from frostpick.settings import Contrast
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.simulate.truth import PARTICLE
from frostpick.training.cryomae.exemplars import random_corners, random_places, windows
from frostpick.training.examples import TrainingImage
from frostpick.types import Micrograph

log = logging.getLogger(__name__)

Points = NDArray[np.float64]
#: Fewest particles of a micrograph on which the contrast is rehearsed.
FEWEST = 4
#: Share of the tiles that lie around a decoy: a fragment, a speck, a crystal.
DECOYS = 0.25
#: A tile lies up to this many working pixels beside what it was chosen for, along each axis.
ASIDE = 20


@dataclass(frozen=True)
class Shown:
    """What a step sees of one micrograph.

    Parameters
    ----------
    crops
        ``(b, 1, CROP, CROP)`` windows to rebuild.
    tiles
        To rehearse the contrast on; None where nobody knows the particles.
    """

    crops: torch.Tensor
    tiles: Tiles | None = None


class WindowSource(Protocol):
    """Where windows come from; the same number and generator give the same windows."""

    name: str

    def key(self) -> str:
        """Return a text that changes when the windows do."""
        ...

    def shown(self, number: int, windows: int, tiles: int, rng: np.random.Generator) -> Shown:
        """Return windows and tiles of micrograph ``number``."""
        ...


class SimulatedWindows:
    """Windows of the simulator's corpus: every number is another micrograph.

    Parameters
    ----------
    seed
        Of the corpus.
    """

    name = "simulated corpus"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def key(self) -> str:
        """Return name and seed."""
        return f"{self.name} {self.seed}"

    def shown(self, number: int, windows: int, tiles: int, rng: np.random.Generator) -> Shown:
        """Return windows anywhere, and tiles around particles and decoys."""
        made = corpus_micrograph(self.seed, number)
        working = preprocess(
            made.image,
            made.pixel_size_A,
            made.diameter_A,
            PreprocessSpec(),
            px_per_diameter=PX_PER_DIAMETER,
            micrograph_id=made.name,
        )
        yx = working.sampling.from_parent(np.stack([made.truth.y_px, made.truth.x_px], axis=1))
        real = made.truth.kind == PARTICLE
        image = _image(made.name, working, yx[real])
        crops = _cut([image], windows, rng)
        if real.sum() < FEWEST or not tiles:
            return Shown(crops)
        decoys = rng.permutation(yx[~real])[: round(DECOYS * tiles)]
        chosen = rng.choice(yx[real], tiles - len(decoys), replace=real.sum() < tiles)
        places = np.concatenate([chosen, decoys])
        places = places + rng.uniform(-ASIDE, ASIDE, places.shape)
        centres = [(float(y), float(x)) for y, x in places]
        return Shown(crops, cut_tiles(image.pixels, yx[real], centres, rng))


class MicrographWindows:
    """Windows anywhere on a user's micrographs, one micrograph after the other.

    Parameters
    ----------
    micrographs
        Read anew whenever their turn comes.
    diameter_A
        Longest dimension of the particle in Angstrom: what fills half a window.
    pixel_size_A
        Where neither host nor header tell it.
    contrast
        Of the particles.
    """

    name = "micrographs"

    def __init__(
        self,
        micrographs: Sequence[Micrograph],
        diameter_A: float,
        pixel_size_A: float | None = None,
        contrast: Contrast = "dark",
    ) -> None:
        if not micrographs:
            raise InputError(
                f"no micrographs to pretrain on; give some with {option('micrographs')}"
            )
        self.micrographs = list(micrographs)
        self.diameter_A, self.pixel_size_A, self.contrast = diameter_A, pixel_size_A, contrast
        self._unusable: set[int] = set()

    def key(self) -> str:
        """Return a digest of the files and of how they are read."""
        text = [f"{self.diameter_A} {self.pixel_size_A} {self.contrast}"]
        text += [f"{m.id} {m.source.fingerprint()}" for m in self.micrographs]
        return f"{self.name} {hashlib.sha256(chr(10).join(text).encode()).hexdigest()}"

    def shown(self, number: int, windows: int, tiles: int, rng: np.random.Generator) -> Shown:
        """Return windows at random places; a micrograph that cannot be used is passed over.

        Raises
        ------
        InputError
            Not one can be used.
        """
        for turn in range(len(self.micrographs)):
            index = (number + turn) % len(self.micrographs)
            if index in self._unusable:
                continue
            try:
                image = self._read(self.micrographs[index])
            except MicrographError as error:
                log.warning("skipped: %s", error)
                self._unusable.add(index)
                continue
            return Shown(_cut([image], windows, rng))
        raise InputError(f"none of the {len(self.micrographs)} micrographs can be used")

    def _read(self, micrograph: Micrograph) -> TrainingImage:
        raw, pixel_size = read_with_pixel_size(micrograph, PixelSizes(self.pixel_size_A))
        working = preprocess(
            raw.data,
            pixel_size,
            self.diameter_A,
            PreprocessSpec(),
            px_per_diameter=PX_PER_DIAMETER,
            contrast=self.contrast,
            micrograph_id=micrograph.id,
        )
        return _image(micrograph.id, working, np.zeros((0, 2)))


def _image(name: str, working: WorkingImage, particles: Points) -> TrainingImage:
    pixels = working.data.cpu().numpy()
    grid = Sampling.identity(pixels.shape, 1.0)
    return TrainingImage(name, pixels, grid, particles, np.zeros((0, 2)))


def _cut(images: Sequence[TrainingImage], count: int, rng: np.random.Generator) -> torch.Tensor:
    places = random_places(images, count, 0.0, rng)
    turns = rng.integers(8, size=count).tolist()
    return windows(images, places, turns, random_corners(count, rng)).crops
