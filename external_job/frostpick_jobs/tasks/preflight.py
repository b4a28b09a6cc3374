"""What can be known to be wrong before a job is made: its device, its models, the diameter."""

from __future__ import annotations

from frostpick.errors import ConfigError, option
from frostpick.fewshot import method_in_force
from frostpick.picking.plan import plan_picking
from frostpick.pruning.plan import plan_pruning
from frostpick.runtime.device import resolve_device
from frostpick.settings import (
    FewshotSettings,
    IterateSettings,
    PickSettings,
    PruneSettings,
    TrainSettings,
    VerifySettings,
)
from frostpick_jobs.job.models import JobModels
from frostpick_jobs.tasks.declarations import FEWSHOT, refuse_unused


def before_picking(settings: PickSettings, models: JobModels) -> None:
    """Find the model, and resolve the settings against it."""
    plan_picking(models.picking(settings.model), settings)


def before_training(settings: TrainSettings, models: JobModels) -> None:
    """Find the start model; `ConfigError` where neither it nor the settings tell a diameter."""
    resolve_device(settings.device)
    start = None if settings.start_model == "none" else models.picking(settings.start_model)
    if settings.diameter is None and (start is None or start.card.diameter_A is None):
        raise ConfigError(
            f"training needs the particle's longest dimension: give {option('diameter')}"
        )


def before_iterating(settings: IterateSettings, models: JobModels) -> None:
    """Look as before a training, and find the pruner."""
    before_training(settings, models)
    if settings.pruner != "none":
        models.pruner(settings.pruner)


def before_fewshot(settings: FewshotSettings, models: JobModels) -> None:
    """Look for the device and the model that is named.

    `ConfigError` without a diameter, and where the method has no use for an option.
    """
    resolve_device(settings.device)
    if settings.diameter is None:
        raise ConfigError(
            f"few-shot picking needs the particle's longest dimension: {option('diameter')}"
        )
    method, _ = method_in_force(settings, kind=models.kind_of)
    refuse_unused(FEWSHOT, method, settings, "auto" if settings.method == "auto" else "")
    if settings.encoder not in ("", "none"):
        find = models.encoder if method == "cryomae" else models.picking
        find(settings.encoder)


def before_pruning(settings: VerifySettings, models: JobModels) -> None:
    """Find the pruner, and resolve the settings of pruning or verifying against it."""
    checked = settings if isinstance(settings, PruneSettings) else for_scores_alone(settings)
    plan_pruning(models.pruner(settings.pruner), checked)


def for_scores_alone(settings: VerifySettings) -> PruneSettings:
    """Return settings of pruning that verify: no row is cut off at an edge."""
    return PruneSettings(**settings.model_dump(), border=0.0)
