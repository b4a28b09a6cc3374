"""What the settings of all tasks have in common."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from frostpick.errors import ConfigError, option
from frostpick.settings.device import check_device
from frostpick.settings.diameter import AUTO, Diameter
from frostpick.settings.field import about, setting
from frostpick.settings.renamed import both_names, old_names, renamed, told_of_setting

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

    @model_validator(mode="before")
    @classmethod
    def _take_old_names(cls, values: Any) -> Any:
        """Take the names of before too, until 2.0, with a warning; not beside those of today."""
        if isinstance(values, Mapping):
            for old, new in old_names(cls).items():
                if old not in values:
                    continue
                if values[old] is not None and values.get(new) is not None:
                    raise ValueError(both_names(old, new))
                values = renamed(cls, old, values)
                warnings.warn(told_of_setting(cls, old), DeprecationWarning, stacklevel=3)
        return values

    def for_key(self, without: Collection[str] = (), only: Collection[str] = ()) -> dict[str, Any]:
        """Return JSON values by the names that they had first, for a digest that outlives names.

        Parameters
        ----------
        without, only
            Names of today: what to leave out, and, where given, what alone to take.
        """
        told = self.model_dump(mode="json", exclude=set(without), include=set(only) or None)
        return dict(_as_first(type(self), name, value) for name, value in told.items())

    @classmethod
    def without_effect(cls) -> frozenset[str]:
        """Return the fields that change no result, which a resume key leaves out."""
        return frozenset(
            name for name, info in cls.model_fields.items() if not about(info).changes_results
        )


def _as_first(kind: type[Settings], name: str, value: Any) -> tuple[str, Any]:
    """Return a setting under its first name; one that this had no value for keeps today's."""
    told = about(kind.model_fields[name])
    if not told.was:
        return name, value
    if value is not None and told.was_times != 1:
        if value % told.was_times:
            return name, value
        value //= told.was_times
    return told.was[0], value


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


#: Help of the diameter, where a task may find it itself.
DIAMETER = (
    "Longest dimension of the particle in Angstrom, rather too large than too small; or auto, "
    "which finds it in a few micrographs."
)


class ScaleSettings(RunSettings):
    """What fixes the scale of a data set."""

    diameter: Diameter | None = setting(None, DIAMETER, "Data", unit="A")
    pixel_size: float | None = setting(
        None,
        "Pixel size in Angstrom, where no STAR file or project tells it; wins over a header.",
        "Data",
        unit="A",
        gt=0,
    )
    contrast: Contrast | None = setting(
        None,
        "Particles are dark or light on the ice, or auto finds out.",
        "Data",
        unset="as the model was trained, dark without one",
    )
    allow_missing: bool = setting(
        False,
        "Go on without folders of the input that cannot be read.",
        "Data",
        advanced=True,
        changes_results=False,
    )

    @property
    def diameter_A(self) -> float | None:
        """The diameter in Angstrom; None where none was given.

        Raises
        ------
        ConfigError
            It is ``auto``: a job finds it before it asks (`frostpick.picking.own_scale`).
        """
        if self.diameter == AUTO:
            raise ConfigError(
                f"{option('diameter')} is auto, and has not been found in the micrographs yet; "
                "find_diameter does that"
            )
        return self.diameter
