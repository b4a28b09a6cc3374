"""From a finished course to a model with a card, calibrated, and a summary."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from frostpick.config import TrainSettings
from frostpick.inference.calibration import calibrated
from frostpick.inference.calibration_fit import between, fit_calibration
from frostpick.inference.selector import Selector
from frostpick.inference.threshold import choose_threshold
from frostpick.models.card import CalibrationSpec, ModelCard, NetworkSpec
from frostpick.models.picking_model import PickingModel
from frostpick.training.anchor import Anchor
from frostpick.training.course import Course, Look
from frostpick.training.gate import label_gate
from frostpick.training.gather import Gathered, Reading
from frostpick.training.held_out import Split
from frostpick.training.measure import Floats
from frostpick.training.tuned_calibration import known_before_data
from frostpick.types import sigmoid

log = logging.getLogger(__name__)

#: What scores are fitted on.
LABELS, PICKS = "training labels", "picks of the start"
#: Labels that weigh as much as the picks of the start in that fit and in the count: labels that
#: trained score higher than other particles do.
FITTED = 200.0


@dataclass(frozen=True)
class Setting:
    """What a course was given, for the card and the summary."""

    settings: TrainSettings
    start: PickingModel | None
    spec: NetworkSpec
    reading: Reading
    gathered: Gathered
    split: Split
    expected_given: bool


def finish(
    course: Course, setting: Setting, first: Anchor | None
) -> tuple[PickingModel, dict[str, Any]]:
    """Calibrate the kept network and describe it.

    Parameters
    ----------
    first
        What a training from a model took as its first soft labels: scores are fitted to them
        and to the labels, of which `FITTED` weigh as much.
    """
    network = course.network()
    selector = choose_selector(setting)
    look = course.looking(network, selector)
    images = setting.split.images
    labels = sum(len(image.particles_yx) for image in images)
    logit, calibration, estimate = _fitted(course, setting.start, first, look, labels)
    expected = course.progress.expected if setting.expected_given else estimate
    threshold = choose_threshold(calibrated(logit, calibration), "auto")
    labelled = sum(len(image.particles_yx) > 0 for image in images)
    told = {
        "objective": setting.settings.objective,
        "labels": labels,
        "labelled_micrographs": labelled,
        "background_micrographs": len(images) - labelled,
        "expected_per_micrograph": round(expected, 2),
        "expected_was_given": setting.expected_given,
        "steps": course.steps,
    }
    card = ModelCard(
        network=setting.spec,
        preprocess=setting.reading.preprocess,
        px_per_diameter=setting.reading.px_per_diameter,
        diameter_A=setting.reading.diameter_A,
        contrast=setting.gathered.contrast,
        selector=selector.name,
        selector_constants=dict(selector.constants),
        calibration=calibration,
        threshold=threshold,
        min_distance=course.recipe.min_distance,
        trained_on={"task": "train", "seed": setting.settings.seed, **told},
        parent=setting.start.digest if setting.start else None,
    )
    summary: dict[str, Any] = {
        **told,
        "failed": setting.gathered.failed,
        "contrast": setting.gathered.contrast,
        "split": setting.split.kind,
        "split_text": setting.split.text,
        "estimated_per_micrograph": round(estimate, 2),
        "class_prior": course.trainer.prior,
        "chosen_step": course.chosen_step,
        "calibration": calibration.model_dump(mode="json"),
        "threshold": threshold,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    log.info(
        "trained %d steps, kept step %d; about %.0f particles a micrograph (%s)",
        course.steps,
        course.chosen_step,
        expected,
        f"given; the network finds {estimate:.0f}" if setting.expected_given else "estimated",
    )
    return PickingModel(card, network.cpu()), summary


def _fitted(
    course: Course,
    start: PickingModel | None,
    first: Anchor | None,
    look: Look,
    labels: int,
) -> tuple[Floats, CalibrationSpec, float]:
    """Return logits of picks, the fit of their scores, and the particles of a micrograph."""
    soft, counted, share = None, 0.0, 1.0
    if first is not None:
        # a network that was taught by its own picks is surer of them than few labels can tell
        images = course.counted()
        logit, worth = course.find_soft(look, images, first)
        soft = fit_calibration(logit, worth, 1.0, fitted_on=PICKS)
        counted = float(sigmoid(calibrated(logit, soft)).sum()) / len(images)
        share = labels / (labels + FITTED)
        if not labels:
            return logit, soft, max(1.0, counted)
    parts = course.labelled_parts()
    found = course.find(look, parts)
    estimate = (1.0 - share) * counted + share * course.count(found)
    estimate = max(1.0, estimate, len(found.label_logit) / len(parts))
    known = known_before_data(start, labels)
    rate = len(found.label_logit) / (estimate * len(parts))
    fit = fit_calibration(found.logit, found.matched, rate, fitted_on=LABELS, **known)
    return found.logit, fit if soft is None else between(soft, fit, share), estimate


def choose_selector(setting: Setting) -> Selector:
    """Return the selector asked for, else the start model's, with a gate from the labels."""
    start, px = setting.start, setting.reading.px_per_diameter
    name = setting.settings.selector or (start.card.selector if start else "disc-nms")
    if name != "four-rotations":
        return Selector(name, px)
    return Selector(name, px, label_gate(setting.split.images, px))
