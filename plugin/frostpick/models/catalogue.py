"""Every model that comes with frostpick, of whatever kind, and the card of any model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frostpick.errors import ModelError
from frostpick.models import versions
from frostpick.models.card import ModelCard
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.cryomae.shipped_encoder import ENCODER_NAMES, load_encoder
from frostpick.models.model_file import WEIGHTS, model_digest, read_model_file
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.model import SHIPPED_NAME, Pruner, load_pruner
from frostpick.models.shipped import load_model

#: Which commands take a model of a kind.
USED_BY: Mapping[str, str] = {
    "dense": "pick, train, iterate",
    "exemplar": "pick",
    "autoencoder": "fewshot",
    "box-classifier": "prune, verify, iterate",
}
#: Folders of a job in which its model lies.
_FOLDERS = ("model", "pruner")


@dataclass(frozen=True)
class Entry:
    """A version of a shipped model: its exact name, its card and the digest of its file.

    Parameters
    ----------
    newest_of
        The name that means this version now; None where that is a newer one.
    """

    name: str
    card: ModelCard
    digest: str
    newest_of: str | None = None


def catalogue() -> tuple[Entry, ...]:
    """Return all shipped models: those that pick, the pruner, and encoders of few-shot picking.

    The newest version of each comes first.
    """
    rows = versions.VERSIONS.values()
    found = (_shipped(version) for row in rows for version in reversed(row))
    return tuple(entry for entry in found if entry is not None)


def find_card(text: str) -> tuple[ModelCard, str]:
    """Return card and digest of the model that a text names, whatever its kind.

    Parameters
    ----------
    text
        A shipped name, with or without its version, a model file, its folder, or the folder
        of the job that made it.

    Raises
    ------
    ModelError
        There is no such model, or its file cannot be used.
    """
    entry = _shipped(text)
    if entry is not None:
        return entry.card, entry.digest
    path = Path(text)
    if not text or not path.exists():
        raise ModelError(versions.unknown_name("model", text, tuple(versions.VERSIONS)))
    if path.is_dir() and not (path / WEIGHTS).exists():
        inner = [path / name for name in _FOLDERS if (path / name / WEIGHTS).exists()]
        path = inner[0] if inner else path
    card, tensors = read_model_file(path)
    return card, model_digest(card, tensors)


def _shipped(text: str) -> Entry | None:
    version = versions.version_of(text)
    if version is None:
        return None
    (name,) = (name for name, row in versions.VERSIONS.items() if version in row)
    model: PickingModel | Pruner | AutoencoderModel
    if name == SHIPPED_NAME:
        model = load_pruner(version)
    elif name in ENCODER_NAMES:
        model = load_encoder(version)
    else:
        model = load_model(version)
    newest = name if versions.version_of(name) == version else None
    return Entry(version, model.card, model.digest, newest)
