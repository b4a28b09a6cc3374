"""Where soft labels are silent, and which labels lie there: particles of a look nobody taught.

A model that was never shown a view gives it the probability of background. Taken as a target,
that silence would be learned: at a particle of such a view the labels' loss, with its weight
of ``n / (n + 60)``, pulls one way and the silence the other, and with few labels the silence
wins. So the places where soft labels say nothing are learned as positive and unlabelled data,
from the labels that lie there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch.nn.functional import softplus

from frostpick.points import nearest_distance
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.training.examples import Points, TrainingImage
from frostpick.training.measure import COUNTED, MATCH
from frostpick.training.picker.objectives import mean_worth
from frostpick.training.picker.soft_labels import BY_HAND, SURE, SoftLabels, sureness
from frostpick.training.tiles import TileGeometry
from frostpick.types import sigmoid

Floats = NDArray[np.float64]

#: A place on no pick that is worth so much is one of silence.
SILENT = 0.1
#: The share of the silent places that are particles is not taken as larger: particles that
#: touch, each a disc of `frostpick.training.picker.recipe.Recipe.label_radius`, come to .13.
MOST = 0.1
#: Fewest labels in silence, and smallest share of all of them, that tell of a look: one
#: particle on carbon, or marked beside its place, is missed by a model that knows them all. Learned
#: from one such label of fifteen, a known particle lost .008 AP.
FEWEST, SMALLEST = 3, 0.05


@dataclass(frozen=True)
class Silence:
    """What is known of the places where soft labels are silent.

    Parameters
    ----------
    missed, worth
        By image, ``(n, 2)`` working pixels and ``(n,)``: the labels that lie in silence, and
        what each counts.
    rho
        Share of the particles that the soft labels miss.
    prior
        Share of the silent places that lie on a particle's disc.
    tells
        Whether labels in silence are of a look that the soft labels miss. Not so where they are
        few enough to be accidents, nor where there are many labels, which may be
        a program's and hold noise, and the soft labels are sure of what they see.
    """

    missed: list[Points]
    worth: list[Floats]
    rho: float
    prior: float
    tells: bool


def find_silence(
    soft: SoftLabels,
    images: Sequence[TrainingImage],
    geometry: TileGeometry,
    px_per_diameter: float,
) -> Silence:
    """Compare the labels that train with soft labels.

    The soft labels miss ``rho = (missed + 1/2) / (n + 1)`` of the particles, the mean of what
    n labels tell of a share (Jeffreys' prior). So particles in silence are ``rho / (1 - rho)``
    times the mass that the soft labels have where they speak; that mass, and how sure they are,
    is taken from at most `COUNTED` images.
    """
    disc = np.pi * geometry.label_radius**2
    looked = evenly_spread(images, COUNTED, "starts")
    worth = [soft.on(image)[1] for image in looked]
    spoken = [one[one >= SILENT] for one in worth]
    mass = disc * float(sum(one.sum() for one in spoken))
    area = float(sum(image.pixels.size for image in looked))
    silent = max(disc, area - disc * sum(map(len, spoken)))
    known = sureness(np.concatenate(worth)) >= SURE
    if known and sum(len(image.particles_yx) for image in images) >= BY_HAND:
        nothing = [np.zeros((0, 2))] * len(images), [np.zeros(0)] * len(images)
        return Silence(*nothing, 0.0, 0.0, tells=False)
    missed, worths, lost, total = [], [], 0.0, 0.0
    for image in images:
        labels = image.training_particles(geometry.guard)
        counts = image.training_worth(geometry.guard)
        # only labelled images are picked for this
        heard = _heard(soft, image) if len(labels) else labels
        alone = nearest_distance(labels, heard) >= MATCH * px_per_diameter
        missed.append(labels[alone])
        worths.append(counts[alone])
        lost, total = lost + float(counts[alone].sum()), total + float(counts.sum())
    rho = (lost + 0.5) / (total + 1.0)
    tells = sum(map(len, missed)) >= FEWEST and rho >= SMALLEST
    return Silence(missed, worths, rho, min(MOST, mass / silent * rho / (1.0 - rho)), tells)


def _heard(soft: SoftLabels, image: TrainingImage) -> Points:
    """Return the picks ``(n, 2)`` of an image that speak."""
    yx, worth = soft.on(image)
    return yx[worth >= SILENT]


def silent_risk(
    silent: torch.Tensor, missed: torch.Tensor, prior: float, worth: torch.Tensor | None = None
) -> torch.Tensor:
    r"""Return the risk of silent places, a share ``prior`` of which are particles.

    ``prior * mean softplus(-f_M) + max(0, mean softplus(f_S) - prior * mean softplus(f_M))``:
    eq. 6 of Kiryo et al. (2017). Its stationary point at a particle of a missed look is a
    probability of 1, whatever the number of labels.

    Parameters
    ----------
    silent, missed
        ``(n,)`` logits of silent places, and ``(m,)`` on the discs of labels in silence.
    worth
        ``(m,)``, what each of these counts; None: all the same.
    """
    s, m = silent.float(), missed.float()
    rest = softplus(s).mean() - prior * mean_worth(softplus(m), worth)
    return prior * mean_worth(softplus(-m), worth) + rest.clamp(min=0.0)


def worth_in_silence(logit: Floats, worth: Floats, rho: float, slope: float) -> Floats:
    """Return what picks are worth, those in silence by their logits and in sum as many as missed.

    What the soft labels give to picks where they speak stays; the others get probabilities
    with a slope of their logits that is known beforehand, moved to a sum of ``rho / (1 - rho)``
    times the mass of the former.

    Parameters
    ----------
    logit, worth
        ``(n,)`` of all picks of some images, the second 0 to 1 by labels and soft labels.
    """
    silent = worth < SILENT
    wanted = rho / (1.0 - rho) * float(worth[~silent].sum())
    if not 0.0 < wanted < 0.9 * silent.sum():
        return worth
    s = slope * logit[silent]

    def excess(offset: float) -> float:
        return float(sigmoid(s + offset).sum()) - wanted

    out = worth.copy()
    out[silent] = sigmoid(s + brentq(excess, -s.max() - 30.0, -s.min() + 30.0, xtol=1e-6))
    return out
