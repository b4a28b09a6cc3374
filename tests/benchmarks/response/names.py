"""Models of a command line, each under a short name that tells it from the others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from frostpick.models.model_file import WEIGHTS
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model


def short_name(text: str, model: PickingModel) -> str:
    """Return a model's name and the first digits of its digest, such as ``general-1a2b3c4d``."""
    path = Path(text)
    if os.sep not in text:
        name = path.stem
    else:
        folder = path.parent if path.name == WEIGHTS else path
        # A job's model lies in its folder ``model``.
        name = folder.parent.name if folder.name == "model" else folder.stem
    return f"{name}-{model.digest.removeprefix('sha256:')[:8]}"


def open_models(texts: Sequence[str]) -> dict[str, PickingModel]:
    """Return the models that texts name, by short name; `ModelError` where there is none."""
    found = [load_model(text) for text in texts]
    return {short_name(text, model): model for text, model in zip(texts, found, strict=True)}
