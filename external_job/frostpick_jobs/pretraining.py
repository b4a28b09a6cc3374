"""Pretraining of the few-shot encoder into a folder."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import torch

from frostpick.config import PretrainSettings
from frostpick.errors import ConfigError
from frostpick.models.mae.model import AutoencoderModel
from frostpick.recipes.mae_windows import MicrographWindows, SimulatedWindows, WindowSource
from frostpick.recipes.pretrain_mae import MaeRecipe, pretrain_mae
from frostpick.runtime.atomic import write_text
from frostpick.runtime.device import resolve_device
from frostpick.runtime.run_record import RunRecord
from frostpick.runtime.threads import resolve_threads
from frostpick.training.checkpoint import remove_checkpoint
from frostpick_jobs.folder import FolderHost
from frostpick_jobs.tasks.claim import claim

log = logging.getLogger(__name__)


def run_pretrain(host: FolderHost, settings: PretrainSettings) -> AutoencoderModel:
    """Pretrain an autoencoder and save it as ``model`` in the host's folder.

    Raises
    ------
    ConfigError
        Micrographs without a diameter; another pretraining is unfinished in the folder.
    InputError
        No micrograph can be used, or a folder that holds another kind of job.
    """
    record = RunRecord("pretrain", host.name, settings.model_dump(mode="json"))
    host.begin()
    claim(host.spool, "pretrain")
    recipe = MaeRecipe(preset=settings.preset)
    recipe = replace(
        recipe, seed=settings.seed or recipe.seed, steps=settings.steps or recipe.steps
    )
    source = _source(host, settings, recipe)
    torch.set_num_threads(resolve_threads(settings.threads))
    spool = host.spool / "training"
    if settings.restart:
        remove_checkpoint(spool)
    with record.stage("pretraining"):
        result = pretrain_mae(
            source,
            recipe,
            spool=spool,
            reporter=host.reporter,
            device=resolve_device(settings.device),
        )
    result.model.save(host.out / "model")
    record.add(
        model={"digest": result.model.digest}, training=result.summary, curve=list(result.curve)
    )
    write_text(host.out / "run.json", json.dumps(record.finished(), indent=2) + "\n")
    return result.model


def _source(host: FolderHost, settings: PretrainSettings, recipe: MaeRecipe) -> WindowSource:
    micrographs = host.micrographs()
    if not micrographs:
        log.info("no micrographs given: pretraining on simulated ones")
        return SimulatedWindows(recipe.seed)
    if settings.diameter is None:
        raise ConfigError(
            "pretraining on micrographs needs the size of their particles: give --diameter, the "
            "longest dimension in Angstrom"
        )
    contrast = settings.contrast or "dark"
    return MicrographWindows(micrographs, settings.diameter, settings.pixel_size, contrast)
