"""How the scores of a trained network are fitted, by `train` and by the rounds of `iterate`.

A training from a model has three witnesses: the labels; what is known of the calibration of
a fine-tuned network before its labels are looked at; and picks that count as soft labels,
the start's or, in the rounds of `iterate`, verified ones, for a network that was taught by
picks is surer of them than few labels can tell. Labels must be a random draw of the
particles: a fit to picks chosen for their scores would be too sure of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frostpick.models.card import CalibrationSpec
from frostpick.models.picking_model import PickingModel
from frostpick.picking.calibration import calibrated
from frostpick.picking.calibration_fit import (
    TUNED_FEW_SPREAD,
    TUNED_SLOPE,
    TUNED_SPREAD,
    between,
    fit_calibration,
)
from frostpick.training.examples import TrainingImage
from frostpick.training.measure import Floats, Look, found_in, joined
from frostpick.training.picker.silence import Silence, worth_in_silence
from frostpick.training.picker.soft_labels import SoftLabels
from frostpick.training.prior import particles_per_image
from frostpick.types import sigmoid

#: What scores are fitted on.
LABELS, PICKS = "training labels", "picks as soft labels"
#: Labels that weigh as much as the soft labels in the fit and in the count: labels that
#: trained score higher than other particles do.
FITTED = 200.0
#: Fewer labels than this tell less of the offset: `TUNED_FEW_SPREAD`.
FEW = 30


@dataclass(frozen=True)
class ScoreFit:
    """Slope and offset of the scores, and what they were fitted to.

    Parameters
    ----------
    logit
        ``(n,)`` float64 of the picks on the images looked at last.
    calibration
        From logit to score.
    particles
        Estimated on a micrograph.
    """

    logit: Floats
    calibration: CalibrationSpec
    particles: float


def fit_scores(
    look: Look,
    images: Sequence[TrainingImage],
    labelled: Sequence[TrainingImage],
    *,
    labels: int,
    start: PickingModel | None,
    soft: SoftLabels | None,
    px_per_diameter: float,
    otherwise: float,
    most: float,
    silence: Silence | None = None,
) -> ScoreFit:
    """Fit slope and offset of a network's scores.

    Parameters
    ----------
    look
        Picks an image with the network.
    images, labelled
        What is looked at: micrographs as they come, and labelled ones; none of these only
        with ``soft``.
    labels
        All labels, 0 where ``labelled`` is empty; `FITTED` of them weigh as much as ``soft``.
    start
        The model that the training began with; None from nothing.
    soft
        Picks as soft labels; None for the labels alone. Where there is no label they decide
        alone.
    otherwise, most
        Particles on a micrograph where not one label is found again, and how many fit.
    silence
        Where ``soft`` misses particles, of which labels know; None where it misses none.
    """
    soft_fit, counted, share = None, 0.0, 1.0
    if soft is not None:
        peaks = [look(image) for image in images]
        worth = [
            soft.worth_of(one, image, px_per_diameter)
            for one, image in zip(peaks, images, strict=True)
        ]
        logit, worths = np.concatenate([one.logit for one in peaks]), np.concatenate(worth)
        if silence is not None:
            worths = worth_in_silence(logit, worths, silence.rho, TUNED_SLOPE)
        soft_fit = fit_calibration(logit, worths, 1.0, fitted_on=PICKS)
        counted = float(sigmoid(calibrated(logit, soft_fit)).sum()) / len(images)
        if not labels:
            return ScoreFit(logit, soft_fit, max(1.0, counted))
        share = labels / (labels + FITTED)
    found = joined(
        [found_in(look(image), image, image.whole, px_per_diameter) for image in labelled]
    )
    per_image = particles_per_image(
        found.logit, found.label_logit, len(labelled), otherwise=otherwise, most=most
    )
    particles = (1.0 - share) * counted + share * per_image
    particles = max(1.0, particles, len(found.label_logit) / len(labelled))
    rate = len(found.label_logit) / (particles * len(labelled))
    known = known_before_data(start, labels)
    fit = fit_calibration(found.logit, found.matched, rate, fitted_on=LABELS, **known)
    if soft_fit is not None:
        fit = between(soft_fit, fit, share)
    return ScoreFit(found.logit, fit, particles)


def known_before_data(start: PickingModel | None, labels: int) -> dict[str, float]:
    """Return what a calibration's fit is told beforehand.

    Parameters
    ----------
    start
        The model that the training began with; without one nothing is known.
    labels
        Number of known particles.

    Returns
    -------
    dict
        Arguments ``slope`` and ``offset_spread`` of
        `frostpick.picking.calibration_fit.fit_calibration`.
    """
    if start is None:
        return {}
    spread = TUNED_FEW_SPREAD if labels < FEW else TUNED_SPREAD
    return {"slope": TUNED_SLOPE, "offset_spread": spread}
