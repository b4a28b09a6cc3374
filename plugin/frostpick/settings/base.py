"""What the settings of all tasks have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from frostpick.settings.device import check_device
from frostpick.settings.field import about, setting

Contrast = Literal["dark", "light", "auto"]
#: ``auto``, ``cpu``, ``cuda``, or GPU numbers; which is there is found out when a job runs.
Device = Annotated[str, AfterValidator(check_device)]


class Settings(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error.

    A number does for a text: YAML and scripts write ``threshold: 1.5`` and ``device: 0``.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, coerce_numbers_to_str=True
    )

    @classmethod
    def without_effect(cls) -> frozenset[str]:
        """Return the fields that change no result, which a resume key leaves out."""
        return frozenset(
            name for name, info in cls.model_fields.items() if not about(info).changes_results
        )


class RunSettings(Settings):
    """Options that every task takes; none but the seed changes the science."""

    device: Device = setting(
        "auto",
        "auto, cpu, cuda, or GPU numbers such as 0 or 0,1.",
        "Running",
        changes_results=False,
    )
    threads: int = setting(
        0,
        "CPU threads; 0 means all that this job may use.",
        "Running",
        changes_results=False,
        ge=0,
    )
    seed: int = setting(0, "Seed of everything random.", "Running", advanced=True, ge=0)
    overwrite: bool = setting(
        False,
        "Replace files in the output folder that this job did not write.",
        "Running",
        advanced=True,
        changes_results=False,
    )
    strict: bool = setting(
        False,
        "End with status 3 where single inputs could not be used.",
        "Running",
        advanced=True,
        changes_results=False,
    )


class ScaleSettings(RunSettings):
    """What fixes the scale of a data set."""

    diameter: float | None = setting(
        None, "Longest dimension of the particle in Angstrom.", "Data", unit="A", gt=0
    )
    pixel_size: float | None = setting(
        None,
        "Pixel size in Angstrom, where no STAR file or project tells it; wins over a header.",
        "Data",
        unit="A",
        gt=0,
    )
    contrast: Contrast | None = setting(
        None,
        "Particles are dark or light on the ice, or auto finds out; when empty as the model was "
        "trained, dark without one.",
        "Data",
    )
    allow_missing: bool = setting(
        False,
        "Go on without folders of the input that cannot be read.",
        "Data",
        advanced=True,
        changes_results=False,
    )
