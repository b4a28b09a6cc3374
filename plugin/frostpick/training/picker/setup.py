"""Turn settings, labels and a start model into what a training needs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frostpick.errors import ConfigError, option
from frostpick.models.card import NetworkSpec, PreprocessSpec
from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.picking_model import PickingModel
from frostpick.models.registry import PAPER_PX, build_network
from frostpick.runtime.basis import Basis
from frostpick.settings import TrainSettings
from frostpick.training.digests import (
    basis_of,
    labels_digest,
    micrographs_told,
    picks_digest,
    with_labels,
    worth_digest,
)
from frostpick.training.examples import TrainingImage
from frostpick.training.picker.distillation import Distillation
from frostpick.training.picker.ema import Schedule
from frostpick.training.picker.finish import Setting
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.silence import find_silence
from frostpick.training.picker.soft_labels import SoftLabels
from frostpick.training.picker.trainer import Trainer
from frostpick.training.prior import class_prior, first_guess, labelled_density, mean_area
from frostpick.training.read_images import Reading
from frostpick.training.tiles import TileGeometry, TileSampler
from frostpick.types import Labels, Micrograph, Picks

log = logging.getLogger(__name__)


def check_start(start: PickingModel | None) -> None:
    """Raise `ConfigError` when the model to start from has nothing to train."""
    if start is not None and not any(True for _ in start.network.parameters()):
        raise ConfigError(
            f"model {start.card.network.name!r} has nothing to train; start from none or from a "
            "trained model"
        )
    if start is not None and start.card.kind != "dense":
        raise ConfigError(
            f"a model of kind {start.card.kind!r} picks by its exemplars and cannot be trained "
            "further; start from none or from a model of frostpick train"
        )


def choose_diameter(
    settings: TrainSettings, labels: Mapping[str, Labels], start: PickingModel | None
) -> float | None:
    """Return the particle's longest dimension in Angstrom: as told, the start's, the labels'."""
    own = start.card.diameter_A if start else None
    told = {one.diameter_A for one in labels.values() if one.diameter_A}
    return settings.diameter_A or own or (told.pop() if len(told) == 1 else None)


def choose_reading(
    settings: TrainSettings,
    labels: Mapping[str, Labels],
    start: PickingModel | None,
    recipe: Recipe,
    spool: Path,
) -> Reading:
    """Return how micrographs are read; `ConfigError` when nothing tells the diameter."""
    diameter = choose_diameter(settings, labels, start)
    if diameter is None:
        raise ConfigError(
            f"training needs the size of the particle: give {option('diameter')}, its longest "
            "dimension in Angstrom, or auto"
        )
    contrast = settings.contrast or (start.card.contrast if start else "dark")
    if contrast == "auto" and not labels:
        raise ConfigError(
            "contrast auto looks at the labels, and there are none: say dark or light"
        )
    return Reading(
        diameter_A=diameter,
        pixel_size_A=settings.pixel_size,
        px_per_diameter=recipe.px_per_diameter,
        preprocess=start.card.preprocess if start else PreprocessSpec(),
        contrast=contrast,
        folder=spool / "working",
    )


def expected_at_first(
    settings: TrainSettings, images: Sequence[TrainingImage], recipe: Recipe, micrographs: int
) -> tuple[float, bool]:
    """Return the particles a micrograph to begin with, and whether they are known.

    Raises
    ------
    ConfigError
        Fewer particles are expected than labels given.
    """
    given = settings.expected_per_micrograph
    density = labelled_density(images)
    if given is None:
        labelled = [image for image in images if len(image.particles_yx)]
        if labelled and all(image.complete for image in labelled):
            return density, True
        return first_guess(images, recipe.px_per_diameter), False
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


def choose_network(
    settings: TrainSettings, start: PickingModel | None, recipe: Recipe
) -> NetworkSpec:
    """Return the start model's network, or the one of the settings."""
    if start is not None:
        return start.card.network
    name = settings.network or recipe.network
    arguments: dict[str, int | float | str | bool] = {"units": recipe.units, "norm": recipe.norm}
    if name in PAPER_PX:  # as wide as in its paper, and without norms
        arguments = {}
    elif name == "dilated":  # its widths are its own
        arguments = {"norm": recipe.norm}
    return NetworkSpec(name=name, arguments=arguments)


def initial_network(
    spec: NetworkSpec, start: PickingModel | None, seed: int, prior: float
) -> DenseNetwork:
    """Return the start model's network, or a new one that scores the prior's log-odds at first."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(spec.name, spec.arguments)
    if start is not None:
        network.load_state_dict(start.tensors())
        return network
    head = getattr(network, "head", None)
    if isinstance(head, torch.nn.Conv2d) and head.bias is not None:
        torch.nn.init.constant_(head.bias, float(np.log(prior / (1 - prior))))
    return network


def make_trainer(
    images: Sequence[TrainingImage],
    spec: NetworkSpec,
    start: PickingModel | None,
    settings: TrainSettings,
    recipe: Recipe,
    expected: float,
    device: torch.device,
    soft: SoftLabels | None,
) -> Trainer:
    """Return a trainer ready for its first step; ``soft`` are labels of all that has none."""
    px = recipe.px_per_diameter
    prior = class_prior(expected, mean_area(images), recipe.label_radius * px)
    network = initial_network(spec, start, settings.seed, prior)
    geometry = TileGeometry.of(network, recipe.outputs, recipe.label_radius * px, recipe.guard * px)
    labels = sum(len(image.particles_yx) for image in images)
    sampler = TileSampler(
        images,
        geometry,
        tiles=recipe.tiles,
        label_share=(recipe.tuning_label_share if soft else recipe.label_share) if labels else 0,
        any_angle=recipe.any_angle,
        seed=settings.seed,
    )
    anchor = None
    if soft is not None:
        silence = find_silence(soft, images, geometry, px) if labels else None
        if silence is not None and silence.tells:
            sampler.lead_with(silence.missed)
            log.info(
                "the start finds nothing at %d of %d labels: such places are learned from these "
                "labels alone",
                sum(map(len, silence.missed)),
                labels,
            )
        anchor = Distillation(
            soft,
            images,
            geometry,
            label_weight=recipe.label_weight(labels, tuning=start is not None),
            silence=silence,
        )
    return Trainer(
        network,
        sampler,
        objective=settings.objective,
        prior=prior,
        schedule=_schedule(settings, recipe, labels, start=start, soft=soft),
        augmentation=recipe.augmentation if soft is None else recipe.tuning_augmentation,
        device=device,
        anchor=anchor,
    )


def _schedule(
    settings: TrainSettings,
    recipe: Recipe,
    labels: int,
    *,
    start: PickingModel | None,
    soft: SoftLabels | None,
) -> Schedule:
    tuning = start is not None
    few = labels < recipe.few_labels
    epochs = recipe.few_epochs if few else recipe.epochs
    if tuning:
        epochs = recipe.few_tuning_epochs if few else recipe.tuning_epochs
    elif soft is not None:
        epochs *= recipe.taught_times
    return Schedule(
        steps=settings.steps or recipe.epoch_steps * epochs,
        rate=recipe.tuning_rate if tuning else recipe.rate,
        warm_up=recipe.warm_up,
        weight_decay=recipe.weight_decay,
        average=recipe.average,
    )


def training_basis(
    setting: Setting,
    labels: Mapping[str, Labels],
    micrographs: Sequence[Micrograph],
    soft: Mapping[str, Picks] | None,
    asked: Mapping[str, Any] | None = None,
) -> Basis:
    """Return all that the passes of this training depend on.

    Parameters
    ----------
    micrographs
        Those that were chosen to be read.
    asked
        What the user asked for, by option, where that was not ``settings``.
    """
    settings, diameter = setting.settings, setting.reading.diameter_A
    usable = (m for m in micrographs if m.id not in setting.gathered.failed)
    # the start is told by its digest, how labels are weighed by what they are worth, and kinds that
    # are included by the labels
    aside = {"start_model", "label_weights", "include", *settings.without_effect()}
    judged = setting.judged
    parts: dict[str, Any] = {
        **({"worth": worth_digest(judged.images)} if judged.changed else {}),
        "format": 2,
        # what the start's picks are worth alone, which was another thing before
        **({} if labels or soft is not None else {"alone": 2}),
        "settings": settings.for_key(without=aside),
        "recipe": setting.recipe.key(),
        "start": setting.start.digest if setting.start else None,
        "diameter": diameter,
        "soft": None if soft is None else picks_digest(soft),
        "labels": labels_digest(labels),
        "micrographs": micrographs_told(usable),
    }
    told = settings.model_dump(mode="json", exclude=set(settings.without_effect()))
    return basis_of(
        parts,
        told if asked is None else asked,
        labels=labels_digest(with_labels(labels)),
        micrographs=parts["micrographs"],
        diameter=None if settings.diameter else diameter,
        start_model=parts["start"],
        verified_picks=parts["soft"],
    )
