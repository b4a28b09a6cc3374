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

from frostpick.config import Contrast
from frostpick.errors import InputError, MicrographError
from frostpick.inference.read import read_with_pixel_size
from frostpick.models.card import PreprocessSpec
from frostpick.models.mae.geometry import PX_PER_DIAMETER
from frostpick.preprocess import WorkingImage, preprocess
from frostpick.sampling import Sampling
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.simulate.truth import PARTICLE
from frostpick.training.examples import TrainingImage
from frostpick.training.exemplars import Windows, random_corners, random_places, windows
from frostpick.types import Micrograph

log = logging.getLogger(__name__)

Points = NDArray[np.float64]
#: Fewest particles of a micrograph on which the similarity is rehearsed.
FEWEST = 4
#: Background windows stay this many diameters away from particles.
AWAY = 0.4
#: Share of the background windows that show decoys: fragments, specks, crystals.
DECOYS = 0.25


@dataclass(frozen=True)
class Shown:
    """Windows of one micrograph, those on particles first.

    Parameters
    ----------
    positives
        How many show a particle; 0 where nobody knows.
    """

    windows: Windows
    positives: int


class WindowSource(Protocol):
    """Where windows come from; the same number and generator give the same windows."""

    name: str

    def key(self) -> str:
        """Return a text that changes when the windows do."""
        ...

    def windows(
        self, number: int, positives: int, background: int, rng: np.random.Generator
    ) -> Shown:
        """Return ``positives + background`` windows of micrograph ``number``."""
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

    def windows(
        self, number: int, positives: int, background: int, rng: np.random.Generator
    ) -> Shown:
        """Return windows on particles, and on decoys and anywhere else."""
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
        whole = real & ~made.truth.edge
        image = _image(made.name, working, yx[real])
        if whole.sum() < FEWEST:
            places = random_places([image], positives + background, 0.0, rng)
            return Shown(_cut([image], places, rng), 0)
        chosen = rng.choice(np.flatnonzero(whole), positives, replace=whole.sum() < positives)
        places = [(0, float(y), float(x)) for y, x in yx[chosen]]
        away = AWAY * PX_PER_DIAMETER
        decoys = [
            (0, float(y), float(x))
            for y, x in yx[~real]
            if (np.hypot(*(yx[real] - (y, x)).T) >= away).all()
        ]
        order = rng.permutation(len(decoys))[: round(DECOYS * background)]
        places += [decoys[k] for k in order]
        places += random_places([image], positives + background - len(places), away, rng)
        return Shown(_cut([image], places, rng), positives)


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
            raise InputError("no micrographs to pretrain on; give some with --micrographs")
        self.micrographs = list(micrographs)
        self.diameter_A, self.pixel_size_A, self.contrast = diameter_A, pixel_size_A, contrast
        self._unusable: set[int] = set()

    def key(self) -> str:
        """Return a digest of the files and of how they are read."""
        text = [f"{self.diameter_A} {self.pixel_size_A} {self.contrast}"]
        text += [f"{m.id} {m.source.fingerprint()}" for m in self.micrographs]
        return f"{self.name} {hashlib.sha256(chr(10).join(text).encode()).hexdigest()}"

    def windows(
        self, number: int, positives: int, background: int, rng: np.random.Generator
    ) -> Shown:
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
            places = random_places([image], positives + background, 0.0, rng)
            return Shown(_cut([image], places, rng), 0)
        raise InputError(f"none of the {len(self.micrographs)} micrographs can be used")

    def _read(self, micrograph: Micrograph) -> TrainingImage:
        raw, pixel_size = read_with_pixel_size(micrograph, self.pixel_size_A, set())
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


def _cut(
    images: Sequence[TrainingImage],
    places: Sequence[tuple[int, float, float]],
    rng: np.random.Generator,
) -> Windows:
    turns = rng.integers(8, size=len(places)).tolist()
    shown = windows(images, places, turns, random_corners(len(places), rng))
    return Windows(torch.as_tensor(shown.crops), shown.centres)
