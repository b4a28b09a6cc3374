"""Which part of the labels is kept from training, to choose the epoch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from frostpick.training.examples import Region, TrainingImage

log = logging.getLogger(__name__)

#: Labelled micrographs from which on whole micrographs are held out.
WHOLE = 4
#: Fraction of the labels held out.
SHARE = 0.2
#: Most micrographs held out: enough to measure on.
MOST = 16


@dataclass(frozen=True)
class Split:
    """Images with their held-out parts, and the rule in words.

    ``kind`` is ``micrographs``, ``blocks`` or ``none``.
    """

    images: list[TrainingImage]
    kind: str
    text: str


def hold_out(images: Sequence[TrainingImage], seed: int, guard: float, *, fewest: int) -> Split:
    """Hold out a fifth of the labels.

    At least 4 labelled micrographs: whole ones. Fewer: a strip at one side of
    each, wide enough for a fifth of its labels, and a band of ``guard`` working
    pixels beside it that neither trains nor measures. Under ``fewest`` labels: nothing.
    """
    counts = np.array([len(image.particles_yx) for image in images])
    labelled = np.flatnonzero(counts)
    rng = np.random.default_rng((seed, 11))
    if counts.sum() < fewest:
        text = (
            f"none of the {counts.sum()} labels is held out: all train, for a fixed number of steps"
        )
        if not counts.any():
            text = "there are no labels of which some could be held out"
        split = Split(list(images), "none", text)
    elif len(labelled) >= WHOLE:
        chosen = _micrographs(counts, labelled, rng)
        parts = [
            replace(image, held_out=image.whole) if k in chosen else image
            for k, image in enumerate(images)
        ]
        held = int(counts[sorted(chosen)].sum())
        text = (
            f"{held} of {counts.sum()} labels on {len(chosen)} of {len(labelled)} labelled "
            "micrographs are held out to choose the step that is kept"
        )
        split = Split(parts, "micrographs", text)
    else:
        parts = [_strip(image, rng) for image in images]
        held = sum(len(image.held_out_particles()) for image in parts)
        text = (
            f"{held} of {counts.sum()} labels in strips of {len(labelled)} micrographs are held "
            "out to choose the step that is kept"
        )
        split = Split(parts, "blocks", text)
    if sum(len(i.training_particles(guard)) for i in split.images if i.trains) < counts.sum() / 2:
        text = (
            f"none of the {counts.sum()} labels is held out: all train, for no part of them can be "
            "told from the rest"
        )
        split = Split(list(images), "none", text)
    log.info("%s", split.text)
    return split


def _micrographs(
    counts: NDArray[np.int64],
    labelled: NDArray[np.int64],
    rng: np.random.Generator,
) -> set[int]:
    """Choose micrographs whose labels come nearest to the share, out of a few random draws."""
    number = min(MOST, max(1, round(SHARE * len(labelled))))
    draws = [rng.permutation(labelled)[:number] for _ in range(20)]
    best = min(draws, key=lambda draw: abs(counts[draw].sum() - SHARE * counts.sum()))
    return {int(k) for k in best}


def _strip(image: TrainingImage, rng: np.random.Generator) -> TrainingImage:
    """Hold out a strip along the longer axis with a fifth of the labels."""
    n = len(image.particles_yx)
    if n < 5:
        return image
    h, w = image.pixels.shape
    axis = 0 if h >= w else 1
    along = np.sort(image.particles_yx[:, axis])
    count = max(1, round(SHARE * n))
    if rng.integers(2):
        start, end = (along[-count - 1] + along[-count]) / 2, float((h, w)[axis])
    else:
        start, end = 0.0, (along[count - 1] + along[count]) / 2
    if axis == 0:
        region = Region(float(start), 0.0, float(end), float(w))
    else:
        region = Region(0.0, float(start), float(h), float(end))
    return replace(image, held_out=region)
