"""Whether labels show all the views that a model picks on the same micrographs, or only some.

Labels of half the views teach half of the particle. Labels drawn without regard to views are, of
the picks that they lie on, as good a sample as any: so the looks of those picks are compared with
the looks of as many picks of the same micrographs, drawn many times, each pick as often as it is
probable. What differs more than nearly all of these is no accident. Labels that the model does
not find say nothing here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from scipy.stats import hypergeom

from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.training.examples import TrainingImage
from frostpick.training.picker.soft_labels import SoftLabels
from frostpick.training.smoothed_box import smoothed_box
from frostpick.training.view_features import noise_axes, view_features

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Images that are looked at, labelled ones first, and random places on each that tell of noise.
LOOKED, PLACES = 8, 200
#: Least probability of a pick that is compared, and in diameters how far from it its label lies.
SPEAKS, ON = 0.2, 0.4
#: Fewest labels on picks, and most, of which a chance draw is taken; fewest picks.
FEWEST, MOST, FEWEST_PICKS = 6, 50, 60
#: Principal axes of the looks, numbers of groups, and draws.
AXES, GROUPS, DRAWS = 4, (2, 3), 499
#: Labels that differ so are told of: of complete labels each of two tests tells of 2 in 100.
LEVEL = 0.02
#: Deviation in diameters of the Gaussian that smooths what is described.
SMOOTH = 0.06
#: Picks of the look without labels that are shown, the side of a box in diameters.
SHOWN, BOX = 16, 1.5


@dataclass(frozen=True)
class LabelViews:
    """How labels and picks compare.

    Parameters
    ----------
    told
        JSON values: ``labels`` on picks, ``picks``, the two tests' ``p_looks`` and ``p_group``, of
        the look that has too few labels the ``share`` of the picks and the labels ``in_look``,
        and, where ``partial``, a sentence as ``text``; empty where too little can be compared.
    partial
        Whether the labels show only some of the views.
    boxes
        Picks of the look that has too few labels, smoothed; only where ``partial``.
    """

    told: dict[str, Any] = field(default_factory=dict)
    partial: bool = False
    boxes: Sequence[NDArray[np.float32]] = ()


def compare_views(
    images: Sequence[TrainingImage], soft: SoftLabels, px_per_diameter: float, seed: int
) -> LabelViews:
    """Compare the looks of labels with those of a model's picks, and tell in the log.

    Parameters
    ----------
    images
        Training images, with all labels.
    soft
        A model's picks, each with its probability.
    """
    labelled = [one for one in images if len(one.particles_yx)]
    if sum(len(one.particles_yx) for one in labelled) < FEWEST:
        return LabelViews()
    others = [one for one in images if not len(one.particles_yx)]
    some = evenly_spread(labelled, LOOKED)
    some += evenly_spread(others, LOOKED - len(some))
    rng = np.random.default_rng((seed, 61))
    looks, noise, hit, places, probable = [], [], [], [], []
    for number, image in enumerate(some):
        yx, worth = soft.on(image)
        yx, worth = yx[worth >= SPEAKS], worth[worth >= SPEAKS]
        probable.append(worth)
        smooth = _smooth(image, px_per_diameter)
        looks.append(view_features(smooth, yx, px_per_diameter))
        random = rng.uniform((0, 0), image.pixels.shape, (PLACES, 2))
        noise.append(view_features(smooth, random, px_per_diameter))
        # of a label without a pick in reach the index is one too many
        reach = ON * px_per_diameter
        nearest = cKDTree(yx).query(image.particles_yx, distance_upper_bound=reach)[1]
        hit.append(np.isin(np.arange(len(yx)), nearest))
        places += [(number, at) for at in yx]
    told, group = permutation_test(
        np.concatenate(looks),
        np.concatenate(noise),
        np.flatnonzero(np.concatenate(hit)),
        rng,
        image=np.array([number for number, _ in places], np.int64),
        probability=np.concatenate(probable),
    )
    if not told:
        return LabelViews()
    partial = min(told["p_looks"], told["p_group"]) < LEVEL
    count, share = told["labels"], told["share"]
    if not partial:  # no good news either: views that look alike are not told apart
        return LabelViews(told)
    told["text"] = (
        f"the labels may show only some of the views: {share:.0%} of the start model's picks have "
        f"a look that {told['in_look']} of the {count} labels on picks have; the report shows "
        "pictures of it: label some if they are particles"
    )
    log.warning("views: %s", told["text"])
    chosen = [places[k] for k in rng.permutation(group)[:SHOWN].tolist()]
    return LabelViews(
        told,
        True,
        [
            smoothed_box(some[k].pixels, at, BOX * px_per_diameter, SMOOTH * px_per_diameter)
            for k, at in chosen
        ],
    )


def permutation_test(
    looks: NDArray[np.float32],
    noise: NDArray[np.float32],
    labelled: Indices,
    rng: np.random.Generator,
    *,
    image: Indices,
    probability: Floats,
) -> tuple[dict[str, Any], Indices]:
    """Test by permutation whether labelled picks are a random part of all picks.

    Two statistics of the labelled ones: the energy distance of their looks from those of the rest
    (Szekely & Rizzo 2004), and, over groups of looks, the least probability that a group has so
    few of them. The looks are in units of noise, on their first principal axes.

    Parameters
    ----------
    looks, noise
        ``(n, 30)`` of all picks, and ``(m, 30)`` of random places.
    labelled
        ``(k,)`` which picks have a label; of more than `MOST` a random part is taken.
    image, probability
        ``(n,)`` of all picks. As many are drawn on each image as are labelled there, for looks
        change with the defocus; and what is likely no particle is seldom labelled.

    Returns
    -------
    dict
        ``labels``, ``picks``, ``p_looks``, ``p_group``, and of the group that lacks labels
        ``share`` and ``in_look``; empty where too few can be compared.
    ndarray
        The members of that group without a label.
    """
    nothing = np.zeros(0, np.int64)
    if len(labelled) > MOST:
        labelled = np.sort(rng.permutation(labelled)[:MOST])
    if len(looks) < FEWEST_PICKS or len(labelled) < FEWEST or 2 * len(labelled) > len(looks):
        return {}, nothing
    axes = _axes(looks, noise)
    n, k = len(axes), len(labelled)
    sets = np.stack([labelled, *_drawn(labelled, image, probability, rng)])
    energy = _energy(cdist(axes, axes), sets)
    fewest, lacking = np.ones(len(sets)), (2.0, nothing, 0)
    for groups in GROUPS:
        group = kmeans2(axes, groups, minit="++", seed=int(rng.integers(2**31)))[1]
        for name in range(groups):
            own = group == name
            have = own[sets].sum(1)
            chance = hypergeom.cdf(np.arange(k + 1), n, int(own.sum()), k)[have]
            fewest = np.minimum(fewest, chance)
            if chance[0] < lacking[0]:
                lacking = float(chance[0]), np.flatnonzero(own), int(have[0])
    told = {
        "labels": k,
        "picks": n,
        "p_looks": round(float((energy >= energy[0]).mean()), 4),
        "p_group": round(float((fewest <= fewest[0]).mean()), 4),
        "share": round(len(lacking[1]) / n, 3),
        "in_look": lacking[2],
    }
    return told, np.setdiff1d(lacking[1], labelled)


def _drawn(
    labelled: Indices, image: Indices, probability: Floats, rng: np.random.Generator
) -> list[Indices]:
    """Return `DRAWS` sets of as many picks an image as are labelled."""
    strata = []
    for number, count in zip(*np.unique(image[labelled], return_counts=True), strict=True):
        own = np.flatnonzero(image == number)
        strata.append((own, int(count), probability[own] / probability[own].sum()))
    return [
        np.concatenate([rng.choice(own, count, False, p=p) for own, count, p in strata])
        for _ in range(DRAWS)
    ]


def _axes(looks: NDArray[np.float32], noise: NDArray[np.float32]) -> Floats:
    """Return looks ``(n, AXES)`` in units of noise on their first principal axes."""
    vectors, deviation = noise_axes(noise)
    white = (looks - noise.mean(0)).astype(np.float64) @ (vectors / deviation)
    white -= white.mean(0)
    axes: Floats = white @ np.linalg.svd(white, full_matrices=False)[2][:AXES].T
    return axes


def _energy(apart: Floats, sets: Indices) -> Floats:
    """Return the energy distance of each set ``(s, k)`` of points from all others.

    ``2 E|X - Y| - E|X - X'| - E|Y - Y'|`` of the distances ``(n, n)``.
    """
    n, k = len(apart), sets.shape[1]
    within = np.array([apart[np.ix_(one, one)].sum() for one in sets])
    between = apart.sum(1)[sets].sum(1) - within
    others = apart.sum() - 2 * between - within
    distance: Floats = 2 * between / (k * (n - k)) - within / k**2 - others / (n - k) ** 2
    return distance


def _smooth(image: TrainingImage, px: float) -> torch.Tensor:
    return torch.from_numpy(np.asarray(gaussian_filter(image.pixels, SMOOTH * px), np.float32))
