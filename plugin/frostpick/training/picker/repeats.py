"""Whether places look like each other and like nothing else: what repeats is no noise.

A start model can be silent on a whole view that it has never seen. Labels of such a view have
no score, and are not doubtful for that: a classifier that has learned from some of them knows
the others. It does not know labels that are spread like noise, for these have nothing in common.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.training.picker.label_evidence import Places

#: Parts, each judged by what was learned from the others.
FOLDS = 4
#: Classes of the answer to the blob filter within which other places are drawn, as many of each
#: as there are labels in it, times `OTHERS`.
CLASSES, OTHERS = 10, 2
#: Share of the diagonal in the covariance that tells places apart.
SHRINKAGE = 0.1
#: Fractions of the other places that stay below the scores at which labels are counted.
LEVELS = (0.9, 0.95, 0.99)

Floats = NDArray[np.float64]


def distinct_share(labels: Places, others: Places, seed: int) -> float:
    """Return the share of labels that look like other labels and not like other places.

    Fisher's linear discriminant on the rotation-invariant `Places.features`, learned on three
    quarters of the images and asked on the fourth. Labels that are nothing but other places
    pass the score ``t`` that a share ``q`` of those stay below in ``1 - q`` of cases: the share
    is ``(P(s > t | label) - (1 - q)) / q``, or 0; the mean over `LEVELS` is taken.

    Parameters
    ----------
    labels
        Those in doubt.
    others
        Drawn from so that they answer to a blob filter as the labels do.

    Returns
    -------
    float
        0 to 1; 0 where there are too few of either to say.
    """
    rng = np.random.default_rng((seed, 41))
    others = others.keep(like(labels.answer, others.answer, rng))
    if min(len(labels), len(others)) < 2 * FOLDS:
        return 0.0
    x = np.concatenate([labels.features, others.features]).astype(np.float64)
    is_label = np.arange(len(x)) < len(labels)
    image = np.concatenate([labels.image, others.image])
    score = held_out_scores(x, is_label, parts_of(image, is_label, rng))
    at = np.quantile(score[~is_label], LEVELS)
    passed = [(score[is_label] > t).mean() for t in at]
    above = [max(0.0, (p - (1 - q)) / q) for p, q in zip(passed, LEVELS, strict=True)]
    return float(np.mean(above))


def stand_out(labels: Floats, others: Floats) -> bool:
    """Tell whether labels answer to a blob filter as no other place does.

    Then they are not what a blob finder made of noise: of noise it takes the darkest peaks, and
    the next darker ones are left. Nine tenths of the labels must lie above the highest of the
    others by half of its distance from their median.

    Parameters
    ----------
    labels, others
        ``(n,)`` and ``(m,)`` answers.
    """
    if len(others) < 2 * FOLDS or not len(labels):
        return False
    top = float(others.max())
    return float(np.quantile(labels, 0.1)) > top + (top - float(np.median(others))) / 2


def like(wanted: Floats, found: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return which of ``(m,)`` values to take so that they spread as ``(n,)`` others do."""
    if not len(wanted):
        return np.zeros(0, np.int64)
    inner = np.quantile(wanted, np.linspace(0, 1, CLASSES + 1)[1:-1])
    need = np.bincount(np.searchsorted(inner, wanted), minlength=CLASSES)
    own = np.searchsorted(inner, found)
    taken = [rng.permutation(np.flatnonzero(own == k))[: OTHERS * need[k]] for k in range(CLASSES)]
    return np.sort(np.concatenate(taken)).astype(np.int64)


def parts_of(
    image: NDArray[np.int64], is_label: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the part of each place: whole images where four have labels, else single places."""
    images = np.unique(image)
    if len(np.unique(image[is_label])) < FOLDS:
        return rng.permutation(len(image)) % FOLDS
    part: NDArray[np.int64] = (rng.permutation(len(images)) % FOLDS)[np.searchsorted(images, image)]
    return part


def held_out_scores(x: Floats, positive: NDArray[np.bool_], part: NDArray[np.int64]) -> Floats:
    """Return the score ``(n,)`` of each row by a discriminant that has not seen its part.

    The weights are ``S^-1 (m1 - m0)`` of the pooled covariance ``S``, whose diagonal is raised
    (Friedman 1989), and scores are taken from the middle between the means.
    """
    x = (x - x.mean(0)) / (x.std(0) + 1e-9)
    score = np.zeros(len(x))
    for k in range(FOLDS):
        own = part == k
        yes, no = x[~own & positive], x[~own & ~positive]
        if not len(yes) or not len(no):
            continue
        centred = np.concatenate([yes - yes.mean(0), no - no.mean(0)])
        covariance = centred.T @ centred / max(1, len(centred) - 2)
        covariance += SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        weight = np.linalg.solve(covariance, yes.mean(0) - no.mean(0))
        score[own] = (x[own] - (yes.mean(0) + no.mean(0)) / 2) @ weight
    return score
