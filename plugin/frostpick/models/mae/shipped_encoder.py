"""The pretrained encoders that come with frostpick."""

from __future__ import annotations

from pathlib import Path

from frostpick.models.mae.model import AutoencoderModel

#: Where they lie, one folder each.
WEIGHTS = Path(__file__).parent.parent / "weights"


def shipped_encoder(preset: str) -> AutoencoderModel | None:
    """Return the shipped autoencoder of a preset; None where none is shipped."""
    folder = WEIGHTS / f"mae-{preset}"
    return AutoencoderModel.load(folder) if folder.is_dir() else None
