"""How many particles a micrograph holds, when only some of them are labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.training.examples import TrainingImage

#: Particles a diameter squared of image, before anything is known: an ordinary grid.
USUAL_DENSITY = 0.15
#: Particles a diameter squared that fit at all (hexagonal packing of discs).
PACKED_DENSITY = 1.15
#: Fractions of the labels found, at whose thresholds all particles are counted.
RECALLS = (0.7, 0.75, 0.8, 0.85, 0.9)


def first_guess(images: Sequence[TrainingImage], px_per_diameter: float) -> float:
    """Return particles per micrograph from the image area and the labels alone."""
    usual = USUAL_DENSITY * mean_area(images) / px_per_diameter**2
    return max(usual, 1.2 * labelled_density(images))


def mean_area(images: Sequence[TrainingImage]) -> float:
    """Return the mean area of the images in working pixels."""
    return float(np.mean([image.pixels.size for image in images]))


def labelled_density(images: Sequence[TrainingImage]) -> float:
    """Return labels per labelled micrograph."""
    counts = [len(image.particles_yx) for image in images if len(image.particles_yx)]
    return float(np.mean(counts)) if counts else 0.0


def packing_limit(images: Sequence[TrainingImage], px_per_diameter: float) -> float:
    """Return the particles per micrograph beyond which discs would overlap."""
    return PACKED_DENSITY * mean_area(images) / px_per_diameter**2


def class_prior(expected: float, area: float, label_radius: float) -> float:
    """Return the fraction of an image's locations on discs of ``expected`` particles."""
    return float(np.clip(expected * np.pi * label_radius**2 / area, 1e-5, 0.5))


def count_particles(picks: ArrayLike, labels: ArrayLike) -> float:
    """Estimate the number of particles among picks from the scores of known particles.

    Above a threshold t there are n(t) picks, and a fraction r(t) of the known
    particles; if all picks above t are particles and the labels are a random
    draw, there are n(t) / r(t) particles. High thresholds leave few labels to
    count with, and labels that trained score a little higher than other
    particles; low ones let false picks in. The median is taken over those that
    most, not nearly all, of the labels pass.

    Parameters
    ----------
    picks
        Scores of all picks above a low floor.
    labels
        Scores of known particles; ``-inf`` for one not found.

    Returns
    -------
    float
        Estimated particles among all, found or not; 0 when no label was found.
    """
    scores: NDArray[np.float64] = np.sort(np.asarray(picks, np.float64))
    known = np.asarray(labels, np.float64)
    if not np.isfinite(known).any():
        return 0.0
    thresholds = np.quantile(known[np.isfinite(known)], 1.0 - np.asarray(RECALLS))
    found = (known[None, :] >= thresholds[:, None]).mean(1)
    above = len(scores) - np.searchsorted(scores, thresholds, side="left")
    return float(np.median(above / found))


def particles_per_image(
    picks: ArrayLike, labels: ArrayLike, images: int, *, otherwise: float, most: float
) -> float:
    """Return particles an image: as many as `count_particles` tells, within what can be.

    Parameters
    ----------
    picks, labels
        Of `count_particles`, on ``images`` labelled images; labels a part of them.
    otherwise
        Returned, within the limits, where not one label was found.
    most
        How many fit; labels that exist are never too many.
    """
    images = max(1, images)
    total = count_particles(picks, labels) or otherwise * images
    least = max(1.0, np.size(np.asarray(labels)) / images)
    return float(np.clip(total / images, least, max(least, most)))
