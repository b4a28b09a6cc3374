"""Every model that comes with frostpick, of whatever kind, and the card of any model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frostpick.errors import ModelError
from frostpick.models import facility, versions
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


@dataclass(frozen=True)
class Entry:
    """A version of a named model: its exact name, its card and the digest of its file.

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


def facility_catalogue() -> tuple[dict[str, Entry], dict[str, str]]:
    """Return the facility's models by their exact names, and why others cannot be used.

    Raises
    ------
    ModelError
        A folder of ``$FROSTPICK_MODELS`` cannot be read.
    """
    found = facility.places()
    usable: dict[str, Entry] = {}
    wrong: dict[str, str] = {}
    for name, where in found.items():
        why = facility.why_not(name, found)
        try:
            if why is None:
                card, tensors = read_model_file(where[0])
                base, newest = name.rpartition("-")[0], None
                if base and base not in found:
                    newest = base if facility.newest(base, found) == name else None
                usable[name] = Entry(name, card, model_digest(card, tensors), newest)
        except (ModelError, OSError) as error:
            why = str(error)
        if why is not None:
            wrong[name] = why
    return usable, wrong


def find_card(text: str) -> tuple[ModelCard, str]:
    """Return card and digest of the model that a text names, whatever its kind.

    Parameters
    ----------
    text
        A shipped or a facility's name, with or without its version, a model file, its folder, or
        the folder of the job that made it.

    Raises
    ------
    ModelError
        There is no such model, or its file cannot be used.
    """
    own, entry = facility.find(text), _shipped(text)
    if entry is not None:
        return entry.card, entry.digest
    path = Path(text) if own is None else own.place
    if not text or not path.exists():
        raise ModelError(facility.unknown_name("model", text, tuple(versions.VERSIONS)))
    if path.is_dir() and not (path / WEIGHTS).exists():
        inner = [path / name for name in facility.INNER if (path / name / WEIGHTS).exists()]
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
