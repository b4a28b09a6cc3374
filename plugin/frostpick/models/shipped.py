"""Models that come with frostpick, and the one way to get a model from a text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from frostpick.citations import VOSS
from frostpick.errors import ModelError
from frostpick.models import facility, versions
from frostpick.models.card import CalibrationSpec, ModelCard, NetworkSpec
from frostpick.models.model_file import WEIGHTS
from frostpick.models.picking_model import PickingModel


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped models that pick, without their versions."""
    return ("general", "blob")


def shipped(name: str) -> PickingModel | None:
    """Return the shipped model of a name, the newest, or of an exact version; None for others."""
    version = versions.version_of(name, shipped_names())
    if version is None:
        return None
    blob = version == "blob"
    found = PickingModel.build(BLOB, {}) if blob else PickingModel.load(versions.WEIGHTS / version)
    return replace(found, known_as=version)


def load_model(text: str) -> PickingModel:
    """Return the model that a text names: a shipped or a facility's name, a file, or its folder.

    A shipped name is ``general``, which is the newest version, or ``general-1``, which is
    always the same; so are those of a facility (`frostpick.models.facility`). The folder may
    also be that of the training, which holds the model's as ``model``. A shipped name wins; a
    file or folder of the same name is given as ``./name``.

    Raises
    ------
    ModelError
        There is no such model, or its file cannot be used.
    """
    own, found = facility.find(text), shipped(text)
    if own is not None:
        return replace(PickingModel.load(own.place), known_as=own.version)
    if found is not None:
        return found
    path = Path(text)
    if not text or not path.exists():
        raise ModelError(facility.unknown_name("picking model", text, shipped_names()))
    inner = path / "model"
    if inner.is_dir() and not (path / WEIGHTS).exists():
        path = inner
    return PickingModel.load(path)


#: The calibration is nominal: fitted on simulated micrographs, never on the user's data.
BLOB = ModelCard(
    network=NetworkSpec(name="dog", arguments={"diameter_px": 32.0, "stride": 4}),
    px_per_diameter=32.0,
    diameter_A=None,
    calibration=CalibrationSpec(slope=0.9, offset=-6.0, fitted_on="simulated micrographs"),
    min_distance=0.7,
    trained_on={"kind": "nothing: a fixed filter"},
    license="BSD-3-Clause",
    citation=VOSS,
)
