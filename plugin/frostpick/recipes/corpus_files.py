"""The training corpus on disk: micrographs at working scale with what is where on them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import MicrographError
from frostpick.models.card import PreprocessSpec
from frostpick.preprocess import preprocess
from frostpick.runtime.atomic import atomic_write
from frostpick.runtime.reporter import Reporter
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.simulate.truth import PARTICLE

Points = NDArray[np.float64]
#: Micrographs that are handed to the workers at a time; a stop waits for them.
BATCH = 16


@dataclass(frozen=True)
class CorpusImage:
    """One micrograph of the corpus as the network sees it.

    Parameters
    ----------
    pixels
        ``(h, w)`` float16 working pixels.
    particles_yx, decoys_yx
        ``(n, 2)`` and ``(m, 2)`` centres on the working grid.
    """

    pixels: NDArray[np.float16]
    particles_yx: Points
    decoys_yx: Points


def make_corpus(
    folder: Path,
    seed: int,
    count: int,
    px_per_diameter: float,
    workers: int,
    reporter: Reporter,
) -> list[CorpusImage]:
    """Return the first ``count`` micrographs of a corpus; those in ``folder`` are not made again.

    Parameters
    ----------
    workers
        Processes that simulate; the result does not depend on them.

    Raises
    ------
    JobStopped
        Asked to stop; what is made stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reporter.stage("simulating", count)
    missing = [k for k in range(count) if not _path(folder, k).exists()]
    if len(missing) < count:
        reporter.advance(count - len(missing))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for start in range(0, len(missing), BATCH):
            reporter.check()
            some = missing[start : start + BATCH]
            jobs = [pool.submit(_make, folder, seed, k, px_per_diameter) for k in some]
            for job in jobs:
                job.result()
            reporter.advance(len(some))
    return list(_read(folder, count))


def working_example(seed: int, index: int, px_per_diameter: float) -> CorpusImage:
    """Simulate one micrograph and bring it to working scale.

    One that `preprocess` refuses (an image with nothing on it) comes back empty, 0 x 0.
    """
    made = corpus_micrograph(seed, index)
    try:
        working = preprocess(
            made.image,
            made.pixel_size_A,
            made.diameter_A,
            PreprocessSpec(),
            px_per_diameter=px_per_diameter,
        )
    except MicrographError:
        nothing: Points = np.zeros((0, 2))
        return CorpusImage(np.zeros((0, 0), np.float16), nothing, nothing)
    truth = made.truth
    yx = working.sampling.from_parent(np.stack([truth.y_px, truth.x_px], axis=1))
    particle = truth.kind == PARTICLE
    pixels = working.data.numpy().astype(np.float16)
    return CorpusImage(pixels, yx[particle], yx[~particle])


def _path(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.npz"


def _make(folder: Path, seed: int, index: int, px_per_diameter: float) -> None:
    torch.set_num_threads(1)
    image = working_example(seed, index, px_per_diameter)
    with atomic_write(_path(folder, index)) as handle:
        np.savez(
            handle,
            pixels=image.pixels,
            particles_yx=image.particles_yx,
            decoys_yx=image.decoys_yx,
        )


def _read(folder: Path, count: int) -> Iterator[CorpusImage]:
    for index in range(count):
        with np.load(_path(folder, index), allow_pickle=False) as found:
            if found["pixels"].size:
                yield CorpusImage(found["pixels"], found["particles_yx"], found["decoys_yx"])
