"""Settings of ``verify``."""

from __future__ import annotations

from typing import Annotated

from frostpick.settings.base import ScaleSettings
from frostpick.settings.field import setting
from frostpick.settings.model_ref import ModelRef


class VerifySettings(ScaleSettings):
    """Options of ``verify``."""

    pruner: Annotated[str, ModelRef("pruner")] = setting(
        "pruner",
        "A pruner's file, its folder, or a shipped name: pruner (the newest) or pruner-1.",
        "Model",
    )
    picks_pixel_size: float | None = setting(
        None,
        "Pixel size the picks, and good and bad ones, were made at, where it is not the "
        "micrographs'; results are in pixels of the micrographs.",
        "Data",
        unit="A",
        gt=0,
    )
