"""The pretrained encoders that come with frostpick."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from frostpick.errors import ModelError
from frostpick.models import facility, versions
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.cryomae.presets import PRESETS


def encoder_name(preset: str) -> str:
    """Return the shipped name of a preset's encoder, whether one is shipped or not."""
    return f"mae-{preset}"


#: Those of all presets.
ENCODER_NAMES = tuple(map(encoder_name, PRESETS))


def shipped_encoder(preset: str) -> AutoencoderModel | None:
    """Return the shipped autoencoder of a preset, the newest; None where none is shipped."""
    name = encoder_name(preset)
    return None if versions.version_of(name) is None else load_encoder(name)


def load_encoder(text: str) -> AutoencoderModel:
    """Return the autoencoder that a text names: a shipped or a facility's name, a file, its folder.

    A shipped name is ``mae-tiny``, the newest, or an exact one such as ``mae-tiny-1``.

    Raises
    ------
    ModelError
        There is no such model, or its file cannot be used.
    """
    own, version = facility.find(text), versions.version_of(text, ENCODER_NAMES)
    if own is not None:
        return replace(AutoencoderModel.load(own.place), known_as=own.version)
    if version is not None:
        return replace(AutoencoderModel.load(versions.WEIGHTS / version), known_as=version)
    path = Path(text)
    if not text or not path.exists():
        names = [name for name in ENCODER_NAMES if name in versions.VERSIONS]
        raise ModelError(facility.unknown_name("encoder", text, names))
    return AutoencoderModel.load(path)
