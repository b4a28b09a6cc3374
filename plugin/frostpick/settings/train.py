"""Settings of ``train``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import ValidationInfo, field_validator, model_validator

from frostpick.settings.base import ScaleSettings
from frostpick.settings.field import setting
from frostpick.settings.licence import LICENSE, Licence
from frostpick.settings.model_ref import ModelRef

Objective = Literal["nnpu", "ge-binomial", "ge-kl", "pn"]
#: What each is, for help, log and report.
OBJECTIVES = {
    "nnpu": "the non-negative risk of positive and unlabelled pixels",
    "ge-binomial": "Topaz's: a binomial number of particles is expected among unlabelled pixels",
    "ge-kl": "Topaz's: the fraction of particles among unlabelled pixels is that expected",
    "pn": "all that is without a label is taken for no particle",
}


def kinds_named(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the job and the numbers of the kinds that a text such as ``OUT:1,3`` names.

    Raises
    ------
    ValueError
        It is no such text.
    """
    found = re.fullmatch(r"(.+):\s*(\d+(?:\s*,\s*\d+)*)", text.strip())
    if found is None:
        raise ValueError(
            f"{text!r} names no kinds; expected a job, a colon and numbers from its report, such "
            "as OUT:3"
        )
    return found[1], tuple(dict.fromkeys(int(one) for one in found[2].split(",")))


class TrainSettings(ScaleSettings):
    """Options of ``train``."""

    expected_per_micrograph: float | None = setting(
        None, "Mean number of particles on a micrograph.", "Data", unset="estimated", gt=0
    )
    picks_pixel_size: float | None = setting(
        None,
        "Pixel size the picks were made at, where it is not the micrographs'.",
        "Data",
        unit="A",
        gt=0,
    )
    start_model: Annotated[str, ModelRef("picking", or_none=True)] = setting(
        "general",
        "Model to start from: general (the newest; general-1 is always the same) or another "
        "shipped name, a file, a folder, or none.",
        "Model",
        was=("start_from", "from"),
    )
    objective: Objective = setting(
        "nnpu",
        f"Loss: {'; '.join(f'{name}, {meaning}' for name, meaning in OBJECTIVES.items())}.",
        "Training",
        advanced=True,
    )
    network: str | None = setting(
        None,
        "Train this network from nothing: resnet8, dilated, conv31, conv63, conv127, or DeepEM's: "
        "deepem, and deepem-klh and deepem-19s at its paper's sizes.",
        "Model",
        unset="the start model's own, and resnet8 from none",
        advanced=True,
    )
    picking_rule: Literal["disc-nms", "four-rotations"] | None = setting(
        None,
        "How the model finds picks: disc-nms, or four-rotations, DeepEM's rule, at four times the "
        "work.",
        "Picking",
        unset="the start model's own, or disc-nms",
        advanced=True,
        was="selector",
    )
    steps: int | None = setting(
        None,
        "Length of each of the two passes of the training.",
        "Training",
        unset="fitted to the labels",
        unit="steps",
        was="epochs",
        was_times=50,
        ge=1,
    )
    rounds: int = setting(
        0,
        "Most rounds of picking, verifying and training anew after the first training.",
        "Training",
        hidden=True,
        ge=0,
        le=20,
    )
    label_weights: Literal["auto", "trust"] = setting(
        "auto",
        "auto weighs each label by how likely it is a particle, where many look like none; trust "
        "takes all as they are.",
        "Training",
    )
    include: str | None = setting(
        None,
        "Kinds of repeated objects that an earlier job found, as labels too: the job and the "
        "number of the kind in its report, such as OUT:3, or OUT:1,3.",
        "Training",
        unset="none",
    )
    all_micrographs: bool = setting(
        False, "Learn from every micrograph, not from at most 50 without labels.", "Training"
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

    @model_validator(mode="before")
    @classmethod
    def _network_from_nothing(cls, values: Any) -> Any:
        """Start from nothing where a network is asked for and no start is named."""
        if isinstance(values, dict) and values.get("network"):
            if all(values.get(one) is None for one in ("start_model", "from", "start_from")):
                return {**values, "start_model": "none"}
        return values

    @field_validator("include")
    @classmethod
    def _names_kinds(cls, value: str | None) -> str | None:
        if value is not None:
            kinds_named(value)
        return value

    @field_validator("network")
    @classmethod
    def _network_without_start(cls, value: str | None, info: ValidationInfo) -> str | None:
        start = info.data.get("start_model", "none")
        if value is not None and start != "none":
            raise ValueError(
                f"a network is chosen only where training starts from nothing, not from {start}; "
                "leave one of the two away"
            )
        return value
