"""What can be known to be wrong before a job is made: its device, its models, the diameter."""

from __future__ import annotations

from typing import TypeVar

from frostpick.errors import ConfigError, option
from frostpick.fewshot import method_in_force
from frostpick.picking.plan import plan_picking
from frostpick.pruning.plan import plan_pruning
from frostpick.runtime.device import resolve_device
from frostpick.settings import (
    AUTO,
    FewshotSettings,
    IterateSettings,
    PickSettings,
    PruneSettings,
    ScaleSettings,
    TrainSettings,
    VerifySettings,
)
from frostpick_jobs.job.models import JobModels
from frostpick_jobs.tasks.declarations import FEWSHOT, refuse_unused

S = TypeVar("S", bound=ScaleSettings)

#: Stands for a diameter that is not found yet, where any will do.
STAND_IN_A = 100.0


def before_picking(settings: PickSettings, models: JobModels) -> None:
    """Find the model, and resolve the settings against it."""
    model = models.picking(settings.model)
    plan_picking(model, as_if_found(settings, model.card.diameter_A))


def before_training(settings: TrainSettings, models: JobModels) -> None:
    """Find the start model; `ConfigError` where neither it nor the settings tell a diameter."""
    resolve_device(settings.device)
    start = None if settings.start_model == "none" else models.picking(settings.start_model)
    if settings.diameter is None and (start is None or start.card.diameter_A is None):
        raise ConfigError(
            f"training needs the particle's longest dimension: give {option('diameter')}, "
            "a number in Angstrom or auto"
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
            f"few-shot picking needs the particle's longest dimension: {option('diameter')}, "
            "a number in Angstrom or auto"
        )
    method, _ = method_in_force(settings, kind=models.kind_of)
    refuse_unused(FEWSHOT, method, settings, "auto" if settings.method == "auto" else "")
    if settings.encoder not in ("", "none"):
        find = models.encoder if method == "cryomae" else models.picking
        find(settings.encoder)


def before_pruning(settings: VerifySettings, models: JobModels) -> None:
    """Find the pruner, and resolve the settings of pruning or verifying against it."""
    checked = settings if isinstance(settings, PruneSettings) else for_scores_alone(settings)
    pruner = models.pruner(settings.pruner)
    plan_pruning(pruner, as_if_found(checked, pruner.card.diameter_A))


def as_if_found(settings: S, own_A: float | None) -> S:
    """Return settings with a number where the diameter is ``auto`` and is found in the job.

    Parameters
    ----------
    own_A
        The model's own diameter, which the job takes where there is one.
    """
    if settings.diameter != AUTO:
        return settings
    return settings.model_copy(update={"diameter": None if own_A else STAND_IN_A})


def for_scores_alone(settings: VerifySettings) -> PruneSettings:
    """Return settings of pruning that verify: no row is cut off at an edge."""
    return PruneSettings(**settings.model_dump(), border=0.0)
