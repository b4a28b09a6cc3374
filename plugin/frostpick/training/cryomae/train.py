"""Few-shot training by cryoMAE: the file to read first.

`train_fewshot` is the whole of it, in order, each step one function of this package. Method:
Xu, Zhan and Xu (2024); what the paper leaves open, and what is done differently, stands in
the modules of `frostpick.models.cryomae` and `frostpick.training`.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from frostpick.errors import ConfigError, option
from frostpick.models.card import ModelCard, NetworkSpec, PreprocessSpec
from frostpick.models.cryomae.autoencoder import MaskedAutoencoder
from frostpick.models.cryomae.geometry import PX_PER_DIAMETER
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.licence import licence_of
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.basis import Basis, begin_training, finish_training
from frostpick.runtime.device import resolve_device
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.threads import resolve_threads
from frostpick.settings import FewshotSettings
from frostpick.training.cryomae.exemplars import check_exemplars
from frostpick.training.cryomae.finish import calibrate, exemplar_network
from frostpick.training.cryomae.recipe import FewshotRecipe
from frostpick.training.cryomae.similarity import window_prior
from frostpick.training.cryomae.trainer import FewshotTrainer
from frostpick.training.cryomae.training_loop import FewshotLoop
from frostpick.training.cryomae.view import FewshotView, view_of
from frostpick.training.digests import basis_of, labels_digest, micrographs_told, with_labels
from frostpick.training.prior import first_guess, mean_area
from frostpick.training.read_images import (
    Reading,
    TrainingSet,
    choose_micrographs,
    read_training_images,
)
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)

CITATION = "Xu, Zhan and Xu, cryoMAE: few-shot cryo-EM particle picking (2024)"


@dataclass(frozen=True)
class FewshotResult:
    """A model that picks by exemplars, and how it came about.

    Parameters
    ----------
    model
        Network and card, calibrated; ``pick`` takes it like any other.
    curve
        One row a measurement: step, reconstruction, similarity, learning_rate,
        held_out_reconstruction, margin.
    summary
        JSON values.
    view
        What the model sees on a micrograph with exemplars.
    """

    model: PickingModel
    curve: list[dict[str, float]]
    summary: dict[str, Any]
    view: FewshotView


def train_fewshot(
    micrographs: Sequence[Micrograph],
    exemplars: Mapping[str, Labels],
    settings: FewshotSettings,
    *,
    start: AutoencoderModel | None,
    spool: Path,
    reporter: Reporter,
    recipe: FewshotRecipe | None = None,
) -> FewshotResult:
    """Train a model on a few exemplars.

    Parameters
    ----------
    micrographs
        All micrographs of the job; those without exemplars give unlabelled windows.
    exemplars
        By micrograph id, in pixels of those micrographs.
    settings
        What the user asked for.
    start
        Pretrained autoencoder; None begins from nothing, which picks worse.
    spool
        Folder for the state of an unfinished training. A call with the same inputs goes on
        from there and gives, on one CPU with as many threads, the same model.
    reporter
        Told of each step and asked to stop at each step.
    recipe
        Numbers of the method, for experiments.

    Raises
    ------
    ConfigError
        No diameter; a preset other than the start's; a training with other settings is
        unfinished in ``spool`` and ``settings.restart`` is not set.
    LabelError
        Fewer than three exemplars can be used.
    InputError
        No micrograph can be used.
    """
    wall, cpu = time.monotonic(), time.process_time()
    recipe = recipe or FewshotRecipe()
    if settings.steps is not None:
        recipe = replace(recipe, steps=settings.steps)
    network = _network(settings, start)
    torch.set_num_threads(resolve_threads(settings.threads))
    device = resolve_device(settings.device)
    reading = _reading(settings, exemplars, spool)
    chosen = choose_micrographs(micrographs, exemplars, everything=False, seed=settings.seed)
    gathered = read_training_images(chosen, exemplars, reading, reporter, device)
    images = check_exemplars(gathered.images, recipe.fewest)
    area = mean_area(images)
    expected = settings.expected_per_micrograph or first_guess(images, PX_PER_DIAMETER)
    prior = window_prior(expected, area, PX_PER_DIAMETER)
    trainer = FewshotTrainer(network, images, recipe, prior, settings.seed, device)
    basis = _basis(settings, recipe, start, exemplars, chosen, gathered, reading.diameter_A)
    begin_training(spool, basis, restart=settings.restart)
    course = FewshotLoop(trainer, spool, basis.key)
    course.run(reporter)
    scorer, own = exemplar_network(trainer)
    told = calibrate(scorer, trainer, own, settings.expected_per_micrograph, reporter)
    view = view_of(trainer, told)
    counts = {
        "exemplars": len(trainer.exemplars),
        "exemplar_micrographs": sum(len(image.particles_yx) > 0 for image in images),
        "unlabelled_micrographs": sum(len(image.particles_yx) == 0 for image in images),
        "expected_per_micrograph": round(told.expected, 2),
        "expected_was_given": settings.expected_per_micrograph is not None,
        "steps": trainer.done,
    }
    card = ModelCard(
        kind="exemplar",
        network=NetworkSpec(
            name="cryomae",
            arguments={
                "preset": network.name,
                "exemplars": 4 * len(trainer.exemplars),
                "matching": recipe.matching,
            },
        ),
        preprocess=reading.preprocess,
        px_per_diameter=PX_PER_DIAMETER,
        diameter_A=reading.diameter_A,
        contrast=gathered.contrast,
        selector=settings.picking_rule or "disc-nms",
        calibration=told.calibration,
        threshold=told.threshold,
        min_distance=recipe.min_distance,
        trained_on={"task": "fewshot", "seed": settings.seed, **counts},
        parent=start.digest if start else None,
        license=licence_of(settings.license, start),
        citation=CITATION,
    )
    shutil.rmtree(reading.folder, ignore_errors=True)
    finish_training(spool, basis)
    summary: dict[str, Any] = {
        **counts,
        "method": "cryomae",
        "preset": network.name,
        "pretrained": start is not None,
        "failed": gathered.failed,
        "contrast": gathered.contrast,
        "window_prior": prior,
        "stopped_by": course.reason,
        "calibration": told.calibration.model_dump(mode="json"),
        "threshold": told.threshold,
        "wall_s": time.monotonic() - wall,
        "cpu_s": time.process_time() - cpu,
    }
    return FewshotResult(PickingModel(card, scorer.cpu()), course.curve, summary, view)


def _network(settings: FewshotSettings, start: AutoencoderModel | None) -> MaskedAutoencoder:
    if start is None:
        log.warning("cryoMAE begins from nothing; a pretrained encoder picks better")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            return MaskedAutoencoder(settings.encoder_size)
    if start.network.name != settings.encoder_size:
        raise ConfigError(
            f"encoder size = {settings.encoder_size!r}, and the encoder to start from is "
            f"{start.network.name!r}; give {option('encoder_size', start.network.name)}"
        )
    network = MaskedAutoencoder(start.network.name)
    network.load_state_dict(start.network.state_dict())
    return network


def _reading(settings: FewshotSettings, exemplars: Mapping[str, Labels], spool: Path) -> Reading:
    told = sorted({one.diameter_A for one in exemplars.values() if one.diameter_A})
    diameter = settings.diameter_A or (told[0] if len(told) == 1 else None)
    if diameter is None:
        raise ConfigError(
            f"few-shot picking needs the size of the particle: give {option('diameter')}, its "
            "longest dimension in Angstrom, or auto"
        )
    return Reading(
        diameter_A=diameter,
        pixel_size_A=settings.pixel_size,
        px_per_diameter=PX_PER_DIAMETER,
        preprocess=PreprocessSpec(),
        contrast=settings.contrast or "dark",
        folder=spool / "working",
    )


def _basis(
    settings: FewshotSettings,
    recipe: FewshotRecipe,
    start: AutoencoderModel | None,
    exemplars: Mapping[str, Labels],
    micrographs: Sequence[Micrograph],
    gathered: TrainingSet,
    diameter_A: float,
) -> Basis:
    course = {"diameter", "pixel_size", "contrast", "seed", "expected_per_micrograph"}
    course |= {"encoder_size"}
    usable = (m for m in micrographs if m.id not in gathered.failed)
    parts: dict[str, Any] = {
        "format": 1,
        "task": "fewshot",
        "settings": settings.for_key(only=course),
        "recipe": recipe.key(),
        "start": start.digest if start else None,
        "exemplars": labels_digest(exemplars),
        "micrographs": micrographs_told(usable),
    }
    return basis_of(
        parts,
        settings.model_dump(mode="json", include=course | {"steps", "encoder"}),
        exemplars=labels_digest(with_labels(exemplars)),
        micrographs=parts["micrographs"],
        diameter=None if settings.diameter else diameter_A,
        encoder=parts["start"],
    )
