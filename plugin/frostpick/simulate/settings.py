"""Options of ``simulate``."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from frostpick.settings import Settings

Family = Literal["compact", "hollow", "elongated", "lobed", "membrane"]
#: What ``any`` draws from.
FAMILIES: tuple[Family, ...] = ("compact", "hollow", "elongated", "lobed")
Range = tuple[float, float]

_SYMMETRY = re.compile(r"C([1-9]|1\d)|D([2-9]|1\d)|[TOI]")


class SimulationSettings(Settings):
    """What a simulated data set looks like; every random choice follows from ``seed``."""

    micrographs: int = Field(12, ge=1, description="Number of micrographs.")
    size: int = Field(1024, ge=64, le=16384, description="Side of a micrograph in pixels.")
    seed: int = Field(0, ge=0, description="Seed of everything random.")
    pixel_size_A: float = Field(5.0, gt=0, description="Pixel size in Angstrom.")
    diameter_A: float = Field(
        160.0, gt=0, description="Longest dimension of the particle in Angstrom."
    )
    particles_per_micrograph: float = Field(
        100.0, ge=0, description="Mean number of particles on a micrograph."
    )
    family: Literal[Family, "any"] = Field(
        "elongated",
        description="Build of the particle: compact, hollow, elongated, lobed, membrane (with a "
        "belt of detergent) or any of the first four.",
    )
    symmetry: str = Field("D2", description="Point group: C1, C2, ..., D2, ..., T, O, I or any.")
    views: Literal["random", "preferred"] = Field(
        "random", description="Orientations: random, or mostly near two preferred views."
    )
    noise: Literal["realistic", "low"] = Field(
        "realistic", description="realistic, or low for a quick look."
    )
    snr: Range | None = Field(
        None,
        description="Variance of the particle over that of the noise, lowest and highest; "
        "0.12 to 0.35 where noise is realistic, 1 to 2 where it is low.",
    )
    defocus_um: Range = Field((0.8, 2.6), description="Lowest and highest underfocus in um.")
    voltage_kV: float = Field(300.0, ge=60, le=400, description="Acceleration voltage in kV.")
    spherical_aberration_mm: float = Field(2.7, ge=0, description="Cs in mm.")
    amplitude_contrast: float = Field(0.1, ge=0, lt=1, description="Amplitude contrast.")
    spacing: float = Field(
        0.85, ge=0, description="Smallest distance between particles, in diameters."
    )
    crowding: float = Field(
        0.3, ge=0, le=1, description="Fraction of the particles placed beside another one."
    )
    gradient: bool = Field(True, description="Ice of varying thickness.")
    carbon: bool = Field(True, description="Edges of the carbon film.")
    ice_crystals: bool = Field(True, description="Crystals of hexagonal ice.")
    aggregates: bool = Field(True, description="Clumps of particles.")
    fragments: bool = Field(True, description="Broken particles.")
    specks: bool = Field(True, description="Small, very dark specks.")
    micelles: bool = Field(False, description="Empty micelles of detergent.")

    @field_validator("symmetry")
    @classmethod
    def _known_symmetry(cls, value: str) -> str:
        upper = value.upper()
        if value == "any":
            return value
        if not _SYMMETRY.fullmatch(upper):
            raise ValueError("expected C1 to C19, D2 to D19, T, O, I or any")
        return upper

    @field_validator("snr", "defocus_um")
    @classmethod
    def _rising(cls, value: Range | None) -> Range | None:
        if value is not None and not 0 < value[0] <= value[1]:
            raise ValueError("expected two positive numbers, the lower one first")
        return value

    @model_validator(mode="after")
    def _fits(self) -> SimulationSettings:
        if not 4 <= self.diameter_px <= self.size / 2:
            raise ValueError(
                f"a diameter of {self.diameter_px:.4g} pixels; expected 4 to half the size"
            )
        if self.family == "membrane" and self.symmetry[0] not in "Ca":
            raise ValueError(
                f"symmetry {self.symmetry} of a membrane protein; expected C1, C2, ... or any"
            )
        return self

    @property
    def diameter_px(self) -> float:
        """Longest dimension of the particle in pixels."""
        return self.diameter_A / self.pixel_size_A

    @property
    def snr_range(self) -> Range:
        """The signal-to-noise ratios that apply: given ones, else those of ``noise``."""
        if self.snr is not None:
            return self.snr
        return (0.12, 0.35) if self.noise == "realistic" else (1.0, 2.0)
