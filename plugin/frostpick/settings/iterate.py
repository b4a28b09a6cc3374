"""Settings of ``iterate``."""

from __future__ import annotations

from typing import Annotated

from frostpick.settings.field import setting
from frostpick.settings.model_ref import ModelRef
from frostpick.settings.train import TrainSettings


class IterateSettings(TrainSettings):
    """Options of ``iterate``: those of ``train``, for every round trains."""

    rounds: int = setting(
        0,
        "Most rounds of picking, verifying and training anew; 0: one from a model, three from "
        "none.",
        "Training",
        ge=0,
        le=20,
    )
    pruner: Annotated[str, ModelRef("pruner", or_none=True)] = setting(
        "pruner",
        "Pruner that gives a second opinion on every pick: pruner (the newest, or pruner-1), its "
        "file, its folder, or none.",
        "Model",
    )
