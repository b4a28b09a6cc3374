"""Choose the micrographs that train, read them, and put their labels on the working grid."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import InputError, LabelError, MicrographError, marked
from frostpick.images import PixelSizes
from frostpick.models.card import PreprocessSpec
from frostpick.picking.read import read_with_pixel_size
from frostpick.preprocess import WorkingImage, contrast_vote, preprocess
from frostpick.preprocess.contrast import (
    contradicts,
    labels_contradict,
    told_votes,
    warn_of_contrast,
)
from frostpick.runtime.atomic import atomic_write
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.memory import give_back_free_memory, in_own_pages
from frostpick.runtime.reporter import Reporter
from frostpick.settings import Contrast
from frostpick.training.examples import Points, TrainingImage
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)

#: Most unusable micrographs named in the log, one line each.
MOST_LISTED = 20

#: Micrographs without labels that are read beside the labelled ones.
BACKGROUND = 50
#: Working images beyond this many bytes together wait in files, not in memory.
IN_MEMORY = 2 << 30
#: Micrographs between two times that free memory is given back.
TRIM = 16
#: Most micrographs that are asked whether particles are dark or light.
CONTRAST_SAMPLE = 8


@dataclass(frozen=True)
class Reading:
    """How micrographs become working images.

    Parameters
    ----------
    diameter_A
        Longest dimension of the particle in Angstrom.
    pixel_size_A
        Pixel size where neither host nor header tell it.
    px_per_diameter, preprocess
        Of the model's card.
    contrast
        Sign of the particles; ``auto`` is decided by the labels.
    folder
        Where working images are kept when they are too large for the memory.
    """

    diameter_A: float
    pixel_size_A: float | None
    px_per_diameter: float
    preprocess: PreprocessSpec
    contrast: Contrast
    folder: Path


@dataclass(frozen=True)
class TrainingSet:
    """Working images with labels, and what became of the rest."""

    images: list[TrainingImage]
    failed: dict[str, str]
    contrast: Literal["dark", "light"]


def choose_micrographs(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    *,
    everything: bool,
    seed: int,
    needed: bool = True,
) -> list[Micrograph]:
    """Return the labelled micrographs and a seeded choice of others, in the given order.

    Raises
    ------
    LabelError
        No micrograph has a label, and there are labels or they are ``needed``.
    """
    labelled = [m for m in micrographs if m.id in labels and len(labels[m.id])]
    if (labels or needed) and not any((labels[m.id].sign > 0).any() for m in labelled):
        raise LabelError(
            f"none of the {len(micrographs)} micrographs has a labelled particle; give picks that "
            "belong to these micrographs"
        )
    others = [m for m in micrographs if m.id not in {k.id for k in labelled}]
    if not everything and len(others) > BACKGROUND:
        rng = np.random.default_rng((seed, 7))
        others = [others[i] for i in np.sort(rng.permutation(len(others))[:BACKGROUND])]
    wanted = {m.id for m in [*labelled, *others]}
    log.info(
        "training on %d labelled and %d other micrographs of %d",
        len(labelled),
        len(others),
        len(micrographs),
    )
    return [m for m in micrographs if m.id in wanted]


def read_training_images(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    reading: Reading,
    reporter: Reporter,
    device: torch.device | None = None,
) -> TrainingSet:
    """Read and preprocess micrographs; those that cannot be used are listed, not fatal.

    Raises
    ------
    InputError
        Not one micrograph can be used.
    LabelError
        There are labels, and none lies inside a readable micrograph.
    """
    device = device or torch.device("cpu")
    contrast = asked = reading.contrast
    if contrast == "auto":
        contrast = _contrast_by_labels(micrographs, labels, reading)
    reading = replace(reading, contrast=contrast)
    reporter.stage("reading", len(micrographs))
    images: list[TrainingImage] = []
    failed: dict[str, str] = {}
    sizes = PixelSizes(reading.pixel_size_A, reading.diameter_A)
    outside = held = 0
    for micrograph in micrographs:
        reporter.check()
        try:
            working, shape = _working_image(micrograph, reading, device, sizes)
        except MicrographError as error:
            failed[micrograph.id] = error.reason
            if len(failed) <= MOST_LISTED:
                log.warning("skipped: %s", error)
        else:
            image, dropped = _with_labels(micrograph.id, working, shape, labels.get(micrograph.id))
            outside += dropped
            held += image.pixels.nbytes
            if held > IN_MEMORY:
                images.append(_to_file(image, reading.folder))
            else:
                images.append(replace(image, pixels=in_own_pages(image.pixels)))
        if (len(images) + len(failed)) % TRIM == 0:
            give_back_free_memory()
        reporter.advance(1)
    _complain(images, failed, outside, labelled=bool(labels))
    if reading.contrast == asked:  # else it was found out
        _doubt_contrast(images, contrast, reading.px_per_diameter)
    return TrainingSet(images, failed, contrast)


def _complain(
    images: Sequence[TrainingImage], failed: Mapping[str, str], outside: int, *, labelled: bool
) -> None:
    if not images:
        name, reason = next(iter(failed.items()))
        raise InputError(
            f"none of the {len(failed)} micrographs can be used; "
            f"the first, {name}: {marked(reason)}"
        )
    if len(failed) > MOST_LISTED:
        log.warning("skipped: %d micrographs in all", len(failed))
    if outside:
        log.warning("%d labels lie outside their micrographs and were dropped", outside)
    if labelled and not any(len(image.particles_yx) for image in images):
        raise LabelError(
            f"no labelled particle is left: {outside} lie outside their micrographs and "
            f"{len(failed)} micrographs cannot be used; check the pixel size of the picks"
        )


def _working_image(
    micrograph: Micrograph,
    reading: Reading,
    device: torch.device,
    sizes: PixelSizes,
) -> tuple[WorkingImage, tuple[int, int]]:
    raw, pixel_size = read_with_pixel_size(micrograph, sizes)
    working = preprocess(
        raw.data,
        pixel_size,
        reading.diameter_A,
        reading.preprocess,
        px_per_diameter=reading.px_per_diameter,
        contrast=reading.contrast,
        device=device,
        micrograph_id=micrograph.id,
    )
    return working, (raw.data.shape[0], raw.data.shape[1])


def _with_labels(
    micrograph_id: str, working: WorkingImage, shape: tuple[int, int], labels: Labels | None
) -> tuple[TrainingImage, int]:
    """Return a training image and how many of its labels lie outside it."""
    pixels = working.data.cpu().numpy()
    if labels is None or not len(labels):
        nothing: Points = np.zeros((0, 2))
        return TrainingImage(micrograph_id, pixels, working.sampling, nothing, nothing), 0
    yx = np.stack([labels.y_px, labels.x_px], axis=1)
    inside = ((yx >= -0.5) & (yx <= np.array(shape) - 0.5)).all(1)
    at = working.sampling.from_parent(yx)
    particles = inside & (labels.sign > 0)
    worth = labels.worth[particles]
    return TrainingImage(
        micrograph_id,
        pixels,
        working.sampling,
        particles_yx=at[particles],
        empty_yx=at[inside & (labels.sign < 0)],
        complete=labels.complete,
        worth=worth if (worth < 1.0).any() else None,
    ), int((~inside).sum())


def _to_file(image: TrainingImage, folder: Path) -> TrainingImage:
    path = folder / f"{hashlib.sha256(image.micrograph_id.encode()).hexdigest()[:24]}.npy"
    with atomic_write(path) as handle:
        np.save(handle, image.pixels, allow_pickle=False)
    return replace(image, pixels=np.load(path, mmap_mode="r", allow_pickle=False))


def _contrast_by_labels(
    micrographs: Sequence[Micrograph], labels: Mapping[str, Labels], reading: Reading
) -> Literal["dark", "light"]:
    """Decide by the grey level on labelled particles against that around them."""
    plain = replace(reading, contrast="dark")
    votes: list[float] = []
    for micrograph in micrographs:
        own = labels.get(micrograph.id)
        if own is None or not (own.sign > 0).any() or len(votes) >= CONTRAST_SAMPLE:
            continue
        try:
            sizes = PixelSizes(reading.pixel_size_A)
            working, shape = _working_image(micrograph, plain, torch.device("cpu"), sizes)
        except MicrographError:
            continue  # reported when the micrograph is read for training
        image, _ = _with_labels(micrograph.id, working, shape, own)
        if len(image.particles_yx):
            votes.append(centre_against_ring(image, reading.px_per_diameter))
    found: Literal["dark", "light"] = "light" if votes and sum(votes) > 0 else "dark"
    log.info("contrast: particles are %s, by the labels of %d micrographs", found, len(votes))
    return found


def _doubt_contrast(
    images: Sequence[TrainingImage], assumed: Literal["dark", "light"], px_per_diameter: float
) -> None:
    """Tell where labels, or without them the images, contradict the contrast that is assumed."""
    labelled = [image for image in images if len(image.particles_yx)][:CONTRAST_SAMPLE]
    sign = 1 if assumed == "dark" else -1
    if labelled:
        lighter = np.concatenate([above_ring(image, px_per_diameter) for image in labelled])
        if labels_contradict(lighter.tolist()):
            seen = (
                f"on {len(lighter)} labels, {sign * lighter.mean():+.2f} deviations of the ice "
                "against what is around them"
            )
            warn_of_contrast(assumed, seen)
        return
    some = evenly_spread(images, CONTRAST_SAMPLE, "starts")
    votes = [
        sign * contrast_vote(torch.from_numpy(np.array(i.pixels)), px_per_diameter) for i in some
    ]
    if contradicts(votes, assumed):
        seen = f"votes of {len(votes)} micrographs, above 0 for light: {told_votes(votes)}"
        warn_of_contrast(assumed, seen)


def centre_against_ring(image: TrainingImage, px_per_diameter: float) -> float:
    """Return the mean of `above_ring` over the labels."""
    return float(np.mean(above_ring(image, px_per_diameter)))


def above_ring(image: TrainingImage, px_per_diameter: float) -> NDArray[np.float64]:
    """Return ``(n,)``, for each label the grey level on the particle less that of a ring around."""
    inner, outer = 0.4 * px_per_diameter, 0.9 * px_per_diameter
    h, w = image.pixels.shape
    reach = np.arange(-int(outer), int(outer) + 1)
    distance = np.hypot(reach[:, None], reach[None, :])
    differences = []
    for y, x in np.round(image.particles_yx).astype(int):
        rows, columns = np.clip(y + reach, 0, h - 1), np.clip(x + reach, 0, w - 1)
        box = image.pixels[rows[:, None], columns[None, :]]
        ring = (distance > 0.65 * px_per_diameter) & (distance <= outer)
        differences.append(float(box[distance <= inner].mean() - np.median(box[ring])))
    return np.array(differences, np.float64)
