"""Train a picking model: the file to read first.

`train_picker` is the whole of it, in order, each step one function of this package.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frostpick.config import TrainSettings
from frostpick.errors import ConfigError
from frostpick.inference.calibration import calibrated
from frostpick.inference.calibration_fit import fit_calibration
from frostpick.inference.threshold import choose_threshold
from frostpick.models.card import CalibrationSpec, ModelCard, NetworkSpec, PreprocessSpec
from frostpick.models.dense import DenseNetwork
from frostpick.models.networks import build_network
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.device import resolve_device
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.threads import resolve_threads
from frostpick.training.checkpoint import remove_checkpoint, training_key
from frostpick.training.course import Course
from frostpick.training.examples import TrainingImage
from frostpick.training.gather import Gathered, Reading, choose_micrographs, gather
from frostpick.training.held_out import FEWEST, Split, hold_out
from frostpick.training.prior import class_prior, first_guess, labelled_density, mean_area
from frostpick.training.recipe import Recipe
from frostpick.training.tiles import TileGeometry, TileSampler
from frostpick.training.trainer import Schedule, Trainer
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it came about.

    Parameters
    ----------
    model
        Network and card, calibrated.
    curve
        One row a measurement: step, epoch, loss, learning_rate, held_out_ap,
        expected_per_micrograph; the kept one has ``chosen`` = 1.
    summary
        JSON values: expected count, prior, split, labels used, calibration,
        failures, seconds.
    """

    model: PickingModel
    curve: list[dict[str, float]]
    summary: dict[str, Any]


def train_picker(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    *,
    start: PickingModel | None,
    spool: Path,
    reporter: Reporter,
    recipe: Recipe | None = None,
) -> TrainingResult:
    """Train a model on incomplete labels.

    Parameters
    ----------
    micrographs
        All micrographs of the job.
    labels
        By micrograph id, in pixels of those micrographs.
    settings
        What the user asked for.
    start
        Model to start from; None trains a new network.
    spool
        Folder for the state of an unfinished training. A call with the same
        inputs goes on from there and gives, on one CPU with as many threads,
        the same model as an uninterrupted one.
    reporter
        Told of each step and asked to stop at each step.
    recipe
        Numbers of the method, for experiments.

    Raises
    ------
    ConfigError
        No diameter; fewer expected particles than labels; another training is
        unfinished in ``spool`` and ``settings.restart`` is not set.
    LabelError
        No label can be used.
    InputError
        No micrograph can be used.
    """
    began, began_cpu = time.monotonic(), time.process_time()
    recipe = recipe or Recipe()
    if start is not None:
        _check_start(start)
        recipe = replace(recipe, px_per_diameter=start.card.px_per_diameter)
    torch.set_num_threads(resolve_threads(settings.threads))
    device = resolve_device(settings.device)
    if settings.restart:
        remove_checkpoint(spool)
    reading = _reading(settings, labels, start, recipe, spool)
    chosen = choose_micrographs(
        micrographs, labels, everything=settings.all_micrographs, seed=settings.seed
    )
    gathered = gather(chosen, labels, reading, reporter, device)
    split = hold_out(gathered.images, settings.seed, recipe.guard * recipe.px_per_diameter)
    expected, given = _expected(settings, split.images, recipe, len(micrographs))
    spec = _network_spec(settings, start, recipe)
    network = _network(spec, start, settings.seed)
    trainer = _trainer(network, split, settings, recipe, start, device)
    if start is None:
        _start_at_prior(network, expected, split.images, recipe)
    key = training_key(
        {
            "settings": settings.model_dump(
                mode="json", exclude={"device", "threads", "restart", "start_from"}
            ),
            "recipe": recipe.key(),
            "start": start.digest if start else None,
            "labels": labels_digest(labels),
            "micrographs": [(m.id, m.source.fingerprint()) for m in chosen],
            "failed": sorted(gathered.failed),
            "format": 1,
        }
    )
    course = Course(
        trainer,
        split.images,
        recipe,
        expected=expected,
        estimate=not given,
        spool=spool,
        key=key,
    )
    course.run(reporter)
    return _result(course, gathered, split, spec, reading, settings, start, given, began, began_cpu)


def labels_digest(labels: Mapping[str, Labels]) -> str:
    """Return a digest over the positions and signs of all labels."""
    total = hashlib.sha256()
    for name in sorted(labels):
        one = labels[name]
        total.update(f"{name}|{len(one)}|{one.complete}|".encode())
        for column in (one.x_px, one.y_px, one.sign):
            total.update(np.ascontiguousarray(column).tobytes())
    return total.hexdigest()


def _check_start(start: PickingModel) -> None:
    if not any(True for _ in start.network.parameters()):
        raise ConfigError(
            f"model {start.card.network.name!r} has nothing to train; start from none or from a "
            "trained model"
        )


def _reading(
    settings: TrainSettings,
    labels: Mapping[str, Labels],
    start: PickingModel | None,
    recipe: Recipe,
    spool: Path,
) -> Reading:
    own = start.card.diameter_A if start else None
    told = sorted({one.diameter_A for one in labels.values() if one.diameter_A})
    diameter = settings.diameter or own or (told[0] if len(told) == 1 else None)
    if diameter is None:
        raise ConfigError(
            "training needs the size of the particle: give --diameter, its longest dimension in "
            "Angstrom"
        )
    return Reading(
        diameter_A=diameter,
        pixel_size_A=settings.pixel_size,
        px_per_diameter=recipe.px_per_diameter,
        preprocess=start.card.preprocess if start else PreprocessSpec(),
        contrast=settings.contrast,
        folder=spool / "working",
    )


def _expected(
    settings: TrainSettings, images: Sequence[TrainingImage], recipe: Recipe, micrographs: int
) -> tuple[float, bool]:
    """Return the particles a micrograph to begin with, and whether they are known."""
    density = labelled_density(images)
    given = settings.expected_per_micrograph
    if given is not None:
        labels = sum(len(image.particles_yx) for image in images)
        if given * micrographs < labels:
            raise ConfigError(
                f"expected_per_micrograph = {given:g} on {micrographs} micrographs is less than "
                f"the {labels} labels; give the mean number of all particles, labelled or not"
            )
        if given < density:
            log.warning(
                "expected_per_micrograph = %g is below the %g labels of a labelled micrograph; "
                "particles will be missed unless other micrographs hold far fewer",
                given,
                round(density, 1),
            )
        return given, True
    labelled = [image for image in images if len(image.particles_yx)]
    if all(image.complete for image in labelled):
        return density, True
    return first_guess(images, recipe.px_per_diameter), False


def _network_spec(
    settings: TrainSettings, start: PickingModel | None, recipe: Recipe
) -> NetworkSpec:
    if start is not None:
        return start.card.network
    return NetworkSpec(
        name=settings.network, arguments={"units": recipe.units, "norm": recipe.norm}
    )


def _network(spec: NetworkSpec, start: PickingModel | None, seed: int) -> DenseNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(spec.name, spec.arguments)
    if start is not None:
        network.load_state_dict(start.tensors())
    return network


def _start_at_prior(
    network: DenseNetwork, expected: float, images: Sequence[TrainingImage], recipe: Recipe
) -> None:
    """Set the last bias to the prior's log-odds, so that the first steps do not spend on it."""
    radius = recipe.label_radius * recipe.px_per_diameter
    prior = class_prior(expected, mean_area(images), radius)
    head = getattr(network, "head", None)
    if isinstance(head, torch.nn.Conv2d) and head.bias is not None:
        torch.nn.init.constant_(head.bias, float(np.log(prior / (1 - prior))))


def _trainer(
    network: DenseNetwork,
    split: Split,
    settings: TrainSettings,
    recipe: Recipe,
    start: PickingModel | None,
    device: torch.device,
) -> Trainer:
    labels = sum(len(image.particles_yx) for image in split.images)
    epochs = recipe.epochs if labels >= FEWEST else recipe.few_epochs
    if start is not None:
        epochs = recipe.tuning_epochs
    schedule = Schedule(
        steps=recipe.epoch_steps * (settings.epochs or epochs),
        rate=recipe.rate if start is None else recipe.tuning_rate,
        warm_up=recipe.warm_up,
        weight_decay=recipe.weight_decay,
        average=recipe.average,
    )
    px = recipe.px_per_diameter
    geometry = TileGeometry.of(network, recipe.outputs, recipe.label_radius * px, recipe.guard * px)
    sampler = TileSampler(
        split.images,
        geometry,
        tiles=recipe.tiles,
        label_share=recipe.label_share,
        any_angle=recipe.any_angle,
        seed=settings.seed,
    )
    return Trainer(
        network,
        sampler,
        objective=settings.objective,
        prior=0.01,
        schedule=schedule,
        augmentation=recipe.augmentation,
        device=device,
    )


def _result(
    course: Course,
    gathered: Gathered,
    split: Split,
    spec: NetworkSpec,
    reading: Reading,
    settings: TrainSettings,
    start: PickingModel | None,
    given: bool,
    began: float,
    began_cpu: float,
) -> TrainingResult:
    network = course.network()
    found = course.find(network, course.held_out_parts())
    estimate = course.count(found)
    expected = course.progress.expected if given else estimate
    calibration, threshold = _calibrate(course, network, expected)
    labels = sum(len(image.particles_yx) for image in split.images)
    labelled = sum(len(image.particles_yx) > 0 for image in split.images)
    card = ModelCard(
        network=spec,
        preprocess=reading.preprocess,
        px_per_diameter=reading.px_per_diameter,
        diameter_A=reading.diameter_A,
        contrast=gathered.contrast,
        calibration=calibration,
        threshold=threshold,
        min_distance=course.recipe.min_distance,
        trained_on={
            "task": "train",
            "objective": settings.objective,
            "labels": labels,
            "labelled_micrographs": labelled,
            "background_micrographs": len(split.images) - labelled,
            "expected_per_micrograph": round(expected, 2),
            "expected_was_given": given,
            "steps": course.steps,
            "seed": settings.seed,
        },
        parent=start.digest if start else None,
    )
    curve = course.progress.curve
    for row in curve:
        row["chosen"] = float(row["step"] == (course.progress.chosen_step or course.steps))
    summary: dict[str, Any] = {
        "labels": labels,
        "labelled_micrographs": labelled,
        "background_micrographs": len(split.images) - labelled,
        "failed": gathered.failed,
        "contrast": gathered.contrast,
        "split": split.kind,
        "split_text": split.text,
        "objective": settings.objective,
        "expected_per_micrograph": expected,
        "expected_was_given": given,
        "estimated_per_micrograph": estimate,
        "class_prior": course.trainer.prior,
        "steps": course.steps,
        "chosen_step": course.progress.chosen_step or course.steps,
        "calibration": calibration.model_dump(mode="json"),
        "threshold": threshold,
        "parameters": sum(p.numel() for p in network.parameters()),
        "wall_s": time.monotonic() - began,
        "cpu_s": time.process_time() - began_cpu,
    }
    log.info(
        "trained %d steps, kept step %d; about %.0f particles a micrograph (%s)",
        course.steps,
        summary["chosen_step"],
        expected,
        "given" if given else "estimated",
    )
    return TrainingResult(PickingModel(card, network.cpu()), curve, summary)


def _calibrate(
    course: Course, network: DenseNetwork, expected: float
) -> tuple[CalibrationSpec, float]:
    """Fit the score on what did not train, and choose the default threshold."""
    parts = course.held_out_parts()
    found = course.find(network, parts)
    whole = mean_area(course.images)
    particles = expected * sum(region.area for _, region in parts) / whole
    rate = len(found.label_logit) / max(particles, 1.0)
    calibration = fit_calibration(
        found.logit,
        found.matched,
        rate,
        counted=found.logit,
        expected=particles,
        fitted_on="held-out labels" if course.measured else "training labels",
    )
    return calibration, choose_threshold(calibrated(found.logit, calibration), "auto")
