"""The one file of a model of any kind: its tensors, its card, and a digest over both."""

from __future__ import annotations

import hashlib
import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from frostpick.errors import ModelError
from frostpick.models.card import FORMAT, KNOWN_REQUIREMENTS, ModelCard
from frostpick.runtime.atomic import atomic_write, write_text

WEIGHTS = "model.safetensors"
CARD = "model.json"
KEY = "frostpick"
#: More bytes than any header has, so that a file of another kind is not read as a whole.
_MOST_HEADER = 100_000_000

Model = TypeVar("Model", bound="ModelFile")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class ModelFile(ABC):
    """A network with its card; each kind of model builds its own network.

    Parameters
    ----------
    card
        All that is needed to use the network.
    network
        The network, on the CPU, in evaluation mode, float32.
    known_as
        The exact name that it was found by, shipped or of a facility: ``general-2``; empty for a
        file of the user's own.
    """

    card: ModelCard
    network: nn.Module
    known_as: str = field(default="", kw_only=True, compare=False)

    #: What the file holds the tensors in; as they are when None.
    stored: ClassVar[torch.dtype | None] = None

    @classmethod
    @abstractmethod
    def build(cls: type[Model], card: ModelCard, tensors: Mapping[str, torch.Tensor]) -> Model:
        """Build the card's network and load its tensors; `ModelError` when they do not fit."""

    def _repr_html_(self) -> str:
        """Return its card, as a notebook shows it."""
        return self.card._repr_html_()

    def state(self) -> Mapping[str, torch.Tensor]:
        """Return all tensors by their names in the file."""
        return self.network.state_dict()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what the file holds: contiguous, on the CPU."""
        found = {k: v.detach().cpu() for k, v in self.state().items()}
        return {k: v.to(self.stored or v.dtype).contiguous() for k, v in found.items()}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical card and every tensor's name, dtype, shape and bytes."""
        return model_digest(self.card, self.tensors())

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and its readable copy ``model.json``, atomically."""
        write_model_file(folder, self.card, self.tensors())

    @classmethod
    def load(cls: type[Model], path: Path) -> Model:
        """Read a model file; its folder, or the card beside it, names it too.

        Raises
        ------
        ModelError
            The file is missing, damaged, of an unknown format, kind or
            requirement, or differs from the ``model.json`` beside it.
        """
        return cls.build(*read_model_file(path))


def filled(network: Network, name: str, tensors: Mapping[str, torch.Tensor]) -> Network:
    """Load all tensors of a network that is called ``name``; return it ready to be used.

    Raises
    ------
    ModelError
        They are not the network's.
    """
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise ModelError(f"tensors do not fit {name}: {error}") from error
    return network.eval().requires_grad_(False)


def write_model_file(folder: Path, card: ModelCard, tensors: dict[str, torch.Tensor]) -> None:
    """Write a model of any kind: ``model.safetensors`` and its readable copy, atomically."""
    # One key: safetensors writes several in an order of its own, never twice the same.
    about = {"card": json.loads(card.canonical()), "digest": model_digest(card, tensors)}
    metadata = {KEY: json.dumps(about, sort_keys=True, separators=(",", ":"))}
    with atomic_write(folder / WEIGHTS) as handle:
        handle.write(save_tensors(tensors, metadata=metadata))
    write_text(folder / CARD, json.dumps(json.loads(card.canonical()), indent=2) + "\n")


def read_model_file(path: Path) -> tuple[ModelCard, dict[str, torch.Tensor]]:
    """Read card and tensors of a model of any kind; `ModelError` as `ModelFile.load`."""
    file = path / WEIGHTS if path.is_dir() else path
    if file.name == CARD:  # names its model, as in RELION's list of outputs
        file = file.with_name(WEIGHTS)
    if not file.is_file():
        raise ModelError(
            f"{file}: no such model file; give a {WEIGHTS}, its folder or a shipped name"
        )
    data = file.read_bytes()
    about = _about(file, data)
    card = _read_card(file, about.get("card"))
    beside = file.with_name(CARD)
    if file.name == WEIGHTS and beside.is_file():
        _compare_cards(beside, card)
    try:
        tensors = load_tensors(data)
    except SafetensorError as error:
        raise ModelError(f"{file}: damaged model file ({error}); copy it again") from error
    if model_digest(card, tensors) != about.get("digest"):
        raise ModelError(
            f"{file}: digest differs from its content; the file was changed or damaged"
        )
    return card, tensors


def told_digest(path: Path) -> str:
    """Return the digest that a model file tells of itself, without reading its tensors.

    Raises
    ------
    ModelError
        It is no model file.
    """
    file = path / WEIGHTS if path.is_dir() else path
    with file.open("rb") as handle:
        start = handle.read(8)
        length = int.from_bytes(start, "little")
        data = start + handle.read(min(length, _MOST_HEADER))
    return str(_about(file, data).get("digest"))


def model_digest(card: ModelCard, tensors: dict[str, torch.Tensor]) -> str:
    """Return SHA-256 over the canonical card and every tensor's name, dtype, shape and bytes."""
    total = hashlib.sha256(card.canonical().encode())
    for name in sorted(tensors):
        array: np.ndarray = tensors[name].numpy()
        total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def _about(file: Path, data: bytes) -> dict[str, Any]:
    try:
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        text = header.get("__metadata__", {}).get(KEY)
    except (struct.error, ValueError, AttributeError) as error:
        raise ModelError(f"{file}: not a safetensors file ({error})") from error
    if not isinstance(text, str):
        raise ModelError(
            f"{file}: a safetensors file without a frostpick card; expected a frostpick model"
        )
    try:
        about = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{file}: the card is not JSON ({error})") from error
    return about if isinstance(about, dict) else {}


def _read_card(file: Path, raw: object) -> ModelCard:
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else raw
        raise ModelError(
            f"{file}: model format {found!r}, this version reads {FORMAT}; update frostpick"
        )
    missing = set(raw.get("requires", ())) - KNOWN_REQUIREMENTS
    if missing:
        raise ModelError(f"{file}: the model requires {sorted(missing)}; update frostpick")
    try:
        return ModelCard.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{file}: card field {where}: {first['msg'].lower()}") from error


def _compare_cards(beside: Path, card: ModelCard) -> None:
    try:
        same = ModelCard.model_validate_json(beside.read_text(encoding="utf-8")) == card
    except (ValidationError, UnicodeDecodeError):
        same = False
    if not same:
        raise ModelError(
            f"{beside}: differs from the card inside the model file; delete the copy or restore it"
        )
