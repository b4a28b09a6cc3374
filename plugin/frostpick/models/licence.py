"""What a card says of licences: that of the model, and those of the models it is derived from.

A model that a user trains is the user's: frostpick's own licence is not stamped on it. What it
is derived from keeps its licence, which the card therefore names.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeVar

from frostpick.models.card import NOT_STATED
from frostpick.models.model_file import ModelFile

_DERIVED = re.compile(r"derived from (?P<from>.+); licence of this model: (?P<own>.+)")

M = TypeVar("M", bound=ModelFile)


def licence_of(own: str, *starts: ModelFile | str | None) -> str:
    """Return the licence of a card.

    Parameters
    ----------
    own
        What the user says of the model; empty where nothing.
    starts
        The models whose weights it began with, or words for what is no model file; None for none.

    Returns
    -------
    str
        ``derived from general-2 (BSD-3-Clause); licence of this model: not stated``, with all
        ancestors, the first one first; the licence alone of a model that began from nothing.
    """
    told = list(dict.fromkeys(one for start in starts if start for one in _ancestry(start)))
    mine = own or NOT_STATED
    return f"derived from {' and '.join(told)}; licence of this model: {mine}" if told else mine


def licensed(model: M, own: str, *starts: ModelFile | str | None) -> M:
    """Return a model with the licence that `licence_of` tells; its digest is another then."""
    card = model.card.model_copy(update={"license": licence_of(own, *starts)})
    return model if card == model.card else replace(model, card=card)


def relicensed(model: M, own: str) -> M:
    """Return a model with another licence of its own; its ancestors stay."""
    found = _DERIVED.fullmatch(model.card.license)
    text = own if found is None else f"derived from {found['from']}; licence of this model: {own}"
    card = model.card.model_copy(update={"license": text})
    return model if card == model.card else replace(model, card=card)


def _ancestry(model: ModelFile | str) -> list[str]:
    """Return a model and its ancestors, each with its licence, the first one first."""
    if isinstance(model, str):
        return [f"{model} ({NOT_STATED})"]
    name = model.known_as or f"model {model.digest[:12]}"
    found = _DERIVED.fullmatch(model.card.license)
    if found is None:
        return [f"{name} ({model.card.license})"]
    return [*found["from"].split(" and "), f"{name} ({found['own']})"]
