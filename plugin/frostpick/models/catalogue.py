"""Every model that comes with frostpick, of whatever kind, and the card of any model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frostpick.errors import ModelError
from frostpick.models.card import ModelCard
from frostpick.models.mae.presets import PRESETS
from frostpick.models.mae.shipped_encoder import shipped_encoder
from frostpick.models.picking_model import WEIGHTS, model_digest, read_model_file
from frostpick.models.pruner import SHIPPED_NAME, load_pruner
from frostpick.models.shipped import load_model, shipped_names

#: Which commands take a model of a kind.
USED_BY: Mapping[str, str] = {
    "dense": "pick, train, iterate",
    "exemplar": "pick",
    "autoencoder": "fewshot",
    "box-classifier": "prune, verify, iterate",
}
_ENCODER = "mae-"
#: Folders of a job in which its model lies.
_FOLDERS = ("model", "pruner")


@dataclass(frozen=True)
class Entry:
    """A shipped model: its name, its card and the digest of its file."""

    name: str
    card: ModelCard
    digest: str


def catalogue() -> tuple[Entry, ...]:
    """Return all shipped models: those that pick, the pruner, and encoders of few-shot picking."""
    encoders = [_ENCODER + preset for preset in PRESETS]
    found = (_shipped(name) for name in (*shipped_names(), SHIPPED_NAME, *encoders))
    return tuple(entry for entry in found if entry is not None)


def find_card(text: str) -> tuple[ModelCard, str]:
    """Return card and digest of the model that a text names, whatever its kind.

    Parameters
    ----------
    text
        A name of `catalogue`, a model file, its folder, or the folder of the job that made it.

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
        names = ", ".join(one.name for one in catalogue())
        raise ModelError(
            f"model {text!r} is neither a file, a folder nor a shipped model; shipped are: {names}"
        )
    if path.is_dir() and not (path / WEIGHTS).exists():
        inner = [path / name for name in _FOLDERS if (path / name / WEIGHTS).exists()]
        path = inner[0] if inner else path
    card, tensors = read_model_file(path)
    return card, model_digest(card, tensors)


def _shipped(name: str) -> Entry | None:
    if name in shipped_names():
        model = load_model(name)
        return Entry(name, model.card, model.digest)
    if name == SHIPPED_NAME:
        pruner = load_pruner(name)
        return Entry(name, pruner.card, pruner.digest)
    encoder = shipped_encoder(name[len(_ENCODER) :]) if name.startswith(_ENCODER) else None
    return None if encoder is None else Entry(name, encoder.card, encoder.digest)
