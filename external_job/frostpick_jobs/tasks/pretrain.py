"""Pretraining into a folder: the picker, the few-shot encoder, or the pruner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from frostpick.errors import ConfigError, option
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.licence import relicensed
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.box_network import CLASSES
from frostpick.models.pruner.model import Pruner
from frostpick.pretraining.cryomae.pretrain import MaeRecipe, pretrain_mae
from frostpick.pretraining.cryomae.windows import MicrographWindows, SimulatedWindows, WindowSource
from frostpick.pretraining.picker.pretrain import PickerRecipe, pretrain_picker
from frostpick.pretraining.pruner.pretrain import (
    LabelledBoxes,
    PretrainRecipe,
    labelled_boxes,
    pretrain_pruner,
)
from frostpick.runtime.checkpoint import FILE, remove_checkpoint
from frostpick.runtime.device import resolve_device
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.threads import resolve_threads
from frostpick.settings import PretrainSettings
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.outputs import ModelOutput, Report
from frostpick_jobs.job.results import PretrainingResult
from frostpick_jobs.tasks.begin import begin
from frostpick_jobs.tasks.declarations import PRETRAIN, refuse_unused

log = logging.getLogger(__name__)

Made = PickingModel | AutoencoderModel | Pruner


def run_pretrain(
    host: Host, settings: PretrainSettings, executor: Executor | None = None
) -> PretrainingResult:
    """Pretrain a network and deliver it as ``model``; ``executor`` has no use here.

    Raises
    ------
    ConfigError
        An option that the method has no use for, micrographs or boxes without a diameter;
        another pretraining is unfinished in the folder.
    InputError
        No micrograph or box can be used, or a folder that holds another kind of job.
    ModelError
        The checkpoint of general images cannot be used.
    """
    settings = _with_seed(settings)
    record = begin(host, PRETRAIN, settings)
    if settings.method != "mae" and host.micrographs():
        raise ConfigError(
            f"{option('method', settings.method)} learns from simulated micrographs only, where "
            f"every particle is known; leave {option('micrographs')} away, "
            f"or take {option('method', 'mae')}"
        )
    refuse_unused(PRETRAIN, settings.method, settings)
    _refuse_a_scale(settings, bool(host.micrographs()))
    torch.set_num_threads(resolve_threads(settings.threads))
    if settings.restart:
        # the denoisers of the picker's corpus have states of their own
        for state in (host.spool / "training").rglob(FILE):
            remove_checkpoint(state.parent)
    with record.stage("pretraining"):
        model, summary = _METHODS[settings.method](host, settings)
        if settings.license:
            model = relicensed(model, settings.license)
    record.add(model={"digest": model.digest, "parent": model.card.parent}, **summary)
    host.deliver([ModelOutput("model", model), Report(record.finished())])
    return PretrainingResult(host.place, {}, model)


def _picker(host: Host, settings: PretrainSettings) -> tuple[PickingModel, dict[str, Any]]:
    recipe = replace(PickerRecipe(), **_numbers(settings, micrographs=settings.corpus))
    result = pretrain_picker(
        recipe,
        spool=host.spool / "training",
        reporter=host.reporter,
        threads=settings.threads,
        device=resolve_device(settings.device),
    )
    return result.model, {"training": result.summary, "curve": list(result.curve)}


def _mae(host: Host, settings: PretrainSettings) -> tuple[AutoencoderModel, dict[str, Any]]:
    recipe = replace(MaeRecipe(preset=settings.encoder_size), **_numbers(settings))
    result = pretrain_mae(
        _source(host, settings, recipe),
        recipe,
        spool=host.spool / "training",
        reporter=host.reporter,
        device=resolve_device(settings.device),
    )
    return result.model, {"training": result.summary, "curve": list(result.curve)}


def _pruner(host: Host, settings: PretrainSettings) -> tuple[Pruner, dict[str, Any]]:
    recipe = replace(PretrainRecipe(), **_numbers(settings, micrographs=settings.corpus))
    imagenet = None
    if settings.imagenet is not None:
        imagenet, recipe = Path(settings.imagenet), replace(recipe, network="resnet18")
    pruner = pretrain_pruner(
        host.spool / "training",
        host.reporter,
        recipe,
        imagenet=imagenet,
        labelled=_labelled(settings),
        picker=host.models.picking(recipe.picker),
        device=resolve_device(settings.device),
    )
    return pruner, {"shipped": host.models.used}


def _labelled(settings: PretrainSettings) -> list[LabelledBoxes]:
    """Return the user's own boxes by class."""
    if settings.boxes is None:
        return []
    for name in ("diameter", "pixel_size"):
        if getattr(settings, name) is None:
            raise ConfigError(
                f"{option('boxes')} {settings.boxes}: nothing tells their scale; "
                f"give {option('diameter')}, the longest dimension of the particle, "
                f"and {option('pixel_size')}, both in Angstrom"
            )
    if settings.contrast == "auto":
        raise ConfigError(
            f"{option('contrast', 'auto')} cannot be found out from boxes; "
            "give light, as extracted particles are unless told otherwise, or dark"
        )
    assert settings.pixel_size is not None and settings.diameter is not None
    found = labelled_boxes(
        Path(settings.boxes),
        settings.pixel_size,
        settings.diameter,
        light=settings.contrast != "dark",
        side=PretrainRecipe().side,
    )
    counts = torch.bincount(found.classes, minlength=len(CLASSES)).tolist()
    told = ", ".join(f"{n} {name}" for name, n in zip(CLASSES, counts, strict=True) if n)
    log.info("%s: %s", settings.boxes, told)
    return [found]


def _refuse_a_scale(settings: PretrainSettings, on_micrographs: bool) -> None:
    """Refuse what tells a scale where everything is simulated."""
    if on_micrographs or (settings.method == "pruner" and settings.boxes is not None):
        return
    for name in ("diameter", "pixel_size", "contrast"):
        if getattr(settings, name) is not None:
            raise ConfigError(
                f"{option(name)} has no use in this pretraining, "
                f"{option('method', settings.method)}: simulated particles have every size, and "
                "a known one; leave it away"
            )


_METHODS: Mapping[str, Callable[[Host, PretrainSettings], tuple[Made, dict[str, Any]]]] = {
    "picker": _picker,
    "mae": _mae,
    "pruner": _pruner,
}


def _with_seed(settings: PretrainSettings) -> PretrainSettings:
    """Return the settings with the seed that is used: the one given, 0 too, or the recipe's."""
    if "seed" in settings.model_fields_set:
        return settings
    recipes = {"picker": PickerRecipe, "mae": MaeRecipe, "pruner": PretrainRecipe}
    return settings.model_copy(update={"seed": recipes[settings.method]().seed})


def _numbers(settings: PretrainSettings, **others: int | None) -> dict[str, Any]:
    """Return the numbers of a recipe that are the user's."""
    chosen = {"seed": settings.seed, "steps": settings.steps, **others}
    return {name: value for name, value in chosen.items() if value is not None}


def _source(host: Host, settings: PretrainSettings, recipe: MaeRecipe) -> WindowSource:
    micrographs = host.micrographs()
    if not micrographs:
        log.info("no micrographs given: pretraining on simulated ones")
        return SimulatedWindows(recipe.seed)
    if settings.diameter is None:
        raise ConfigError(
            "pretraining on micrographs needs the size of their particles: "
            f"give {option('diameter')}, the longest dimension in Angstrom"
        )
    contrast = settings.contrast or "dark"
    return MicrographWindows(micrographs, settings.diameter, settings.pixel_size, contrast)
