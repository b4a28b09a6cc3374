"""Settings of ``pick``."""

from __future__ import annotations

from typing import Annotated, Literal

from frostpick.settings.base import DIAMETER, ScaleSettings
from frostpick.settings.diameter import Diameter
from frostpick.settings.field import setting
from frostpick.settings.model_ref import ModelRef
from frostpick.settings.threshold import RULES, Threshold


class PickingSettings(ScaleSettings):
    """How micrographs are picked, with whatever model."""

    threshold: Threshold = setting(
        Threshold.parse("auto"),
        f"{RULES}.",
        "Picking",
        changes_results=False,
    )
    renew_threshold: bool = setting(
        False,
        "Choose the threshold anew for all micrographs, also for those that were delivered with "
        "another one; their particles must then be extracted anew.",
        "Picking",
        advanced=True,
        changes_results=False,
    )
    min_distance: float | None = setting(
        None,
        "Smallest distance between picks in Angstrom.",
        "Picking",
        unset="the model's own",
        unit="A",
        gt=0,
    )
    border: float = setting(
        0.0,
        "Leave out centres nearer to an edge than this many diameters; 0.5 leaves out every "
        "particle that is cut.",
        "Picking",
        unit="diameters",
        ge=0,
        le=5,
    )
    max_micrographs: int = setting(
        0,
        "Pick only this many micrographs, spread evenly over the set; 0 means all.",
        "Data",
        was="limit",
        unit="micrographs",
        changes_results=False,
        ge=0,
    )
    live: bool = setting(
        False,
        "A session that still grows: a round in which there is no micrograph that can be used ends "
        "with status 4, not as a failure; a RELION Scheme needs no telling.",
        "Running",
        advanced=True,
        changes_results=False,
    )
    output_picks: Literal["selected", "all"] = setting(
        "selected",
        "selected or all: what STAR files and outputs hold; all is every pick above the floor, as "
        "a rule a probability of 0.001.",
        "Picking",
        was="write",
        advanced=True,
        changes_results=False,
    )
    star_per_micrograph: bool = setting(
        False,
        "On a folder, write star/NAME.star too, a file for each micrograph; RELION gets such files "
        "in any case, CryoSPARC never.",
        "Picking",
        advanced=True,
        changes_results=False,
    )


class PickSettings(PickingSettings):
    """Options of ``pick``."""

    diameter: Diameter | None = setting(
        None,
        DIAMETER,
        "Data",
        unset="the model's own; general and blob have none and need it",
        unit="A",
    )
    model: Annotated[str, ModelRef("picking")] = setting(
        "general",
        "A model file, its folder, or a shipped name: general (trained on simulations; the "
        "newest, and general-1 is always the same) or blob.",
        "Model",
    )
