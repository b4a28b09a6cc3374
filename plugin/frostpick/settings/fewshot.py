"""Settings of ``fewshot``."""

from __future__ import annotations

from typing import Annotated, Literal

from frostpick.settings.field import setting
from frostpick.settings.licence import LICENSE, Licence
from frostpick.settings.model_ref import ModelRef
from frostpick.settings.pick import PickingSettings


class FewshotSettings(PickingSettings):
    """Options of ``fewshot``: those of ``pick``, for it picks with the model it makes."""

    encoder: Annotated[str, ModelRef("encoder", or_none=True, from_job=False)] = setting(
        "",
        "Encoder to start cryoMAE from: none, a file, a folder, or a shipped name such as "
        "mae-tiny-1.",
        "Model",
        unset="the newest shipped",
        was="model",
    )
    expected_per_micrograph: float | None = setting(
        None,
        "Mean number of particles on a micrograph, the most for cryomae.",
        "Data",
        unset="estimated",
        gt=0,
    )
    picks_pixel_size: float | None = setting(
        None,
        "Pixel size the exemplars were marked at, where it is not the micrographs'.",
        "Data",
        unit="A",
        gt=0,
    )
    method: Literal["auto", "cryomae", "pu"] = setting(
        "auto",
        "cryomae compares with the exemplars, pu trains the shipped network on them; auto takes "
        "what measured best.",
        "Training",
    )
    steps: int | None = setting(
        None, "Longest training in steps.", "Training", unit="steps", unset="fitted", ge=1
    )
    encoder_size: Literal["tiny", "small", "base"] = setting(
        "tiny",
        "Size of cryoMAE's network: tiny, small or base.",
        "Model",
        advanced=True,
        was="preset",
    )
    picking_rule: Literal["disc-nms", "density-cut"] | None = setting(
        None,
        "How cryoMAE's scores become picks: disc-nms, or density-cut, its paper's threshold by "
        "micrograph.",
        "Picking",
        unset="disc-nms",
        was="selector",
        advanced=True,
    )
    license: Licence = setting(
        "", LICENSE, "Model", advanced=True, unset="not stated", changes_results=False
    )
    restart: bool = setting(
        False,
        "Throw away an unfinished training of this job and begin again.",
        "Running",
        changes_results=False,
    )
