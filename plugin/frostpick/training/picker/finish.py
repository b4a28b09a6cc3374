"""From a finished course to a model with a card, calibrated, and a summary."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch

from frostpick.citations import BEPLER
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.licence import licence_of
from frostpick.models.picking_model import PickingModel
from frostpick.picking.calibration import calibrated
from frostpick.picking.held_out import ENTRY, HeldOutLabels
from frostpick.picking.selector import Selector
from frostpick.picking.threshold import choose_threshold
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.settings import TrainSettings
from frostpick.training.measure import COUNTED
from frostpick.training.picker.deviation_gate import label_gate
from frostpick.training.picker.judged_labels import JudgedLabels
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.score_fit import fit_scores
from frostpick.training.picker.silence import Silence
from frostpick.training.picker.soft_labels import SoftLabels
from frostpick.training.picker.training_loop import TrainingLoop
from frostpick.training.picker.validation_split import Split
from frostpick.training.read_images import Reading, TrainingSet

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """What every pass of a training is given."""

    settings: TrainSettings
    recipe: Recipe
    device: torch.device
    start: PickingModel | None
    spec: NetworkSpec
    reading: Reading
    gathered: TrainingSet
    split: Split
    expected_given: bool
    judged: JudgedLabels


def finish(
    course: TrainingLoop,
    setting: Setting,
    first: SoftLabels | None,
    silence: Silence | None = None,
) -> tuple[PickingModel, dict[str, Any]]:
    """Calibrate the kept network and describe it.

    Parameters
    ----------
    first
        The soft labels of the first pass: scores are fitted to them and to the labels.
    silence
        What these miss.
    """
    network = course.network()
    selector = choose_selector(setting)
    look = course.looking(network, selector)
    images = setting.split.images
    labels = sum(len(image.particles_yx) for image in images)
    # labels that were chosen by their scores are no random draw: soft picks calibrate alone
    chosen = setting.judged.changed and first is not None
    fit = fit_scores(
        look,
        evenly_spread(images, COUNTED, "starts"),
        [] if chosen else course.labelled(),
        labels=0 if chosen else labels,
        start=setting.start,
        soft=first,
        px_per_diameter=setting.reading.px_per_diameter,
        otherwise=course.progress.expected,
        most=course.most,
        silence=silence,
    )
    expected = course.progress.expected if setting.expected_given else fit.particles
    threshold = choose_threshold(calibrated(fit.logit, fit.calibration), "auto")
    labelled = sum(len(image.particles_yx) > 0 for image in images)
    known = course.find(look, course.held_out_parts()).label_logit
    held_out = HeldOutLabels(calibrated(known, fit.calibration)) if len(known) else None
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
        calibration=fit.calibration,
        threshold=threshold,
        min_distance=setting.recipe.min_distance,
        trained_on={
            "task": "train",
            "seed": setting.settings.seed,
            **told,
            **({} if held_out is None else {ENTRY: held_out.as_entry()}),
        },
        parent=setting.start.digest if setting.start else None,
        license=licence_of(setting.settings.license, setting.start),
        citation=BEPLER,
    )
    summary: dict[str, Any] = {
        **told,
        "judged_labels": setting.judged.told,
        "label_views": setting.judged.views.told,
        "failed": setting.gathered.failed,
        "contrast": setting.gathered.contrast,
        "split": setting.split.kind,
        "split_text": setting.split.text,
        "estimated_per_micrograph": round(fit.particles, 2),
        "class_prior": course.trainer.prior,
        "chosen_step": course.chosen_step,
        "calibration": fit.calibration.model_dump(mode="json"),
        "threshold": threshold,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    log.info(
        "trained %d steps, kept step %d; about %.0f particles a micrograph (%s)",
        course.steps,
        course.chosen_step,
        expected,
        f"given; the network finds {fit.particles:.0f}" if setting.expected_given else "estimated",
    )
    log.info("step %d is kept: %s", course.chosen_step, course.why_kept())
    if held_out is not None:
        found = held_out.recall(threshold)
        summary["recall"] = {**vars(found), "threshold": threshold}
        log.info("at its threshold %.2f: %s %s", threshold, held_out.title, found)
    return PickingModel(card, network.cpu()), summary


def choose_selector(setting: Setting) -> Selector:
    """Return the selector asked for, else the start model's, with a gate from the labels."""
    start, px = setting.start, setting.reading.px_per_diameter
    name = setting.settings.picking_rule or (start.card.selector if start else "disc-nms")
    if name != "four-rotations":
        return Selector(name, px)
    return Selector(name, px, label_gate(setting.split.images, px))
