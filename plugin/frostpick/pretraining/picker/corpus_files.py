"""The training corpus on disk: micrographs at working scale with what is where on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import MicrographError, option
from frostpick.models.card import PreprocessSpec
from frostpick.preprocess import preprocess
from frostpick.pretraining.picker.denoiser import Denoiser
from frostpick.pretraining.picker.filters import binned_sampling
from frostpick.pretraining.picker.looks import apply_look
from frostpick.pretraining.picker.train_denoiser import make_denoisers, open_denoisers
from frostpick.runtime.atomic import atomic_write, remove_leftovers
from frostpick.runtime.executors.base import Executor, Resources
from frostpick.runtime.reporter import Reporter
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.simulate.micrograph import SimulatedMicrograph
from frostpick.simulate.truth import PARTICLE

Points = NDArray[np.float64]
#: Stored grey levels a standard deviation; the preprocessing clips at 6 of these.
GREY = 20.0
#: Of what a corpus shows: raised when the same recipe would make other micrographs, so that
#: those of before are not taken for them.
VERSION = 2
#: Salts of the random streams of the stated diameter and of the look.
_STATED, _LOOK = 21, 22
#: Share of the diameters that are misjudged twice as badly.
_BADLY = 0.15
#: Folder of the denoisers, beside that of the corpus.
DENOISERS = "denoisers"
#: Decoys that may look like a small view of the particle.
_ALIKE = ("fragment", "free_micelle", "speck")
#: How far beyond the particle's own range of extents a decoy counts as within it.
_SLACK = 0.05


@dataclass(frozen=True)
class CorpusSpec:
    """What every micrograph of a corpus is made with.

    Parameters
    ----------
    seed
        Of the simulation.
    px_per_diameter
        Working pixels a stated diameter.
    jitter
        Standard deviation of the natural logarithm of the stated over the true diameter, but for
        the tails: nobody knows the diameter of their particle exactly.
    looks
        Whether micrographs are denoised, filtered, binned and stored as users do
        (`frostpick.pretraining.picker.looks`), or all raw.
    without
        Shapes that no particle has.
    """

    seed: int
    px_per_diameter: float = 32.0
    jitter: float = 0.0
    looks: bool = False
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class CorpusImage:
    """One micrograph of the corpus as the network sees it.

    Parameters
    ----------
    stored
        ``(h, w)`` int8, working pixels in steps of ``1 / GREY`` standard deviations, or the file
        that has them, which is mapped anew whenever it is looked at.
    particles_yx, outlines
        ``(n, 2)`` centres on the working grid, and ``(n, 2)`` extent of the view as a share of
        the stated diameter and hollowness.
    decoys_yx
        ``(m, 2)``, what is surely no particle.
    unsure_yx
        ``(k, 2)``, what is none, but has the size of some view of this one.
    """

    stored: NDArray[np.int8] | Path
    particles_yx: Points
    decoys_yx: Points
    outlines: Points
    unsure_yx: Points

    @property
    def pixels(self) -> NDArray[np.int8]:
        """The stored pixels, read only where they are looked at."""
        if isinstance(self.stored, Path):
            mapped: NDArray[np.int8] = np.load(self.stored, mmap_mode="r", allow_pickle=False)
            return mapped
        return self.stored

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        h, w = self.pixels.shape
        return h, w

    def whole(self) -> NDArray[np.float32]:
        """Return all pixels, ``(h, w)`` float32 in standard deviations."""
        return as_grey(self.pixels)


def as_grey(stored: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return stored pixels as float32 in standard deviations of the ice."""
    return np.asarray(stored).astype(np.float32) * np.float32(1.0 / GREY)


def make_corpus(
    folder: Path, spec: CorpusSpec, count: int, executor: Executor, reporter: Reporter
) -> list[CorpusImage]:
    """Return the first ``count`` micrographs of a corpus; those in ``folder`` are not made again.

    Parameters
    ----------
    folder
        Of this corpus; the denoisers of the looks are made beside it.
    executor
        Who simulates; the result does not depend on it.

    Raises
    ------
    JobStopped
        Asked to stop; what is made stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    if spec.looks:
        make_denoisers(folder.parent / DENOISERS, reporter)
    reporter.stage("simulating", count)
    missing = [k for k in range(count) if not _points(folder, k).exists()]
    if len(missing) < count:
        reporter.advance(count - len(missing))
    work = CorpusWork(folder, spec)
    with closing(executor.run(work, missing, reporter, ordered=False)) as made:
        for _ in made:
            reporter.advance(1)
    return list(_read(folder, count))


@dataclass(frozen=True)
class CorpusWork:
    """Simulates micrographs by their numbers and stores each; nothing comes back."""

    folder: Path
    spec: CorpusSpec

    doing: ClassVar[str] = "simulating"
    died: ClassVar[str] = (
        "a process that simulates died ({how}); what was simulated is kept: run it again, with "
        f"fewer {option('threads')} where memory is short"
    )
    most_readers: ClassVar[int] = 1

    def begin(self, resources: Resources) -> CorpusHands:
        """Read the denoisers, where there are any."""
        denoisers = open_denoisers(self.folder.parent / DENOISERS) if self.spec.looks else ()
        return CorpusHands(self.folder, self.spec, denoisers)


class CorpusHands:
    """Simulates in one process."""

    def __init__(self, folder: Path, spec: CorpusSpec, denoisers: Sequence[Denoiser]) -> None:
        self._folder, self._spec, self._denoisers = folder, spec, denoisers

    def read(self, index: int) -> None:
        """Nothing is needed."""

    def do(self, index: int, reading: Future[None]) -> None:
        """Make one micrograph, on one thread whatever the machine has."""
        torch.set_num_threads(1)
        image = working_example(self._spec, index, self._denoisers)
        with atomic_write(_pixels(self._folder, index)) as handle:
            np.save(handle, image.pixels)
        # written last: a micrograph is there when its points are
        with atomic_write(_points(self._folder, index)) as handle:
            np.savez(
                handle,
                particles_yx=image.particles_yx,
                decoys_yx=image.decoys_yx,
                outlines=image.outlines,
                unsure_yx=image.unsure_yx,
                empty=np.array(image.pixels.size == 0),
            )


def working_example(
    spec: CorpusSpec, index: int, denoisers: Sequence[Denoiser] = ()
) -> CorpusImage:
    """Simulate one micrograph, look at it as a user would, and bring it to working scale.

    One that `preprocess` refuses (an image with nothing on it) comes back empty, 0 x 0.
    """
    made = corpus_micrograph(spec.seed, index, spec.without)
    factor = float(
        np.exp(spec.jitter * _misjudged(np.random.default_rng([spec.seed, index, _STATED])))
    )
    image, step = made.image, 1
    if spec.looks:
        rng = np.random.default_rng([spec.seed, index, _LOOK])
        image, step = apply_look(rng, image, made.pixel_size_A, made.diameter_A, denoisers)
    kept = binned_sampling(made.image.shape, made.pixel_size_A, step)
    try:
        working = preprocess(
            image,
            step * made.pixel_size_A,
            made.diameter_A * factor,
            PreprocessSpec(),
            px_per_diameter=spec.px_per_diameter,
        )
    except MicrographError:
        nothing: Points = np.zeros((0, 2))
        return CorpusImage(np.zeros((0, 0), np.int8), nothing, nothing, nothing, nothing)
    truth = made.truth
    yx = kept.from_parent(np.stack([truth.y_px, truth.x_px], axis=1))
    yx = working.sampling.from_parent(yx)
    particle = truth.kind == PARTICLE
    unsure = alike(made)
    assert made.outlines is not None
    return CorpusImage(
        np.clip(np.round(working.data.numpy() * GREY), -127, 127).astype(np.int8),
        yx[particle],
        yx[~particle & ~unsure],
        made.outlines[particle] / [factor, 1.0],
        yx[unsure],
    )


def _misjudged(rng: np.random.Generator) -> float:
    """Return by how much a diameter is misjudged: normal, and now and then twice as much."""
    drawn = rng.normal() * (2.0 if rng.random() < _BADLY else 1.0)
    return float(np.clip(drawn, -3.2, 3.2))


def alike(made: SimulatedMicrograph) -> NDArray[np.bool_]:
    """Tell which rows are decoys as large as some view of the particle.

    A piece or a micelle of that size cannot be told from a particle by its size; to call it
    background is to teach that the small views are.
    """
    low, high = made.extents
    assert made.outlines is not None
    extent = made.outlines[:, 0]
    within = (extent >= low - _SLACK) & (extent <= high + _SLACK)
    return within & np.isin(made.truth.kind, _ALIKE)


def _pixels(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.npy"


def _points(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.npz"


def _read(folder: Path, count: int) -> Iterator[CorpusImage]:
    for index in range(count):
        with np.load(_points(folder, index), allow_pickle=False) as found:
            if not found["empty"]:
                yield CorpusImage(
                    _pixels(folder, index),
                    found["particles_yx"],
                    found["decoys_yx"],
                    found["outlines"],
                    found["unsure_yx"],
                )
