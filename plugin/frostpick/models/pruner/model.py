"""A pruner in memory and in its one file: a box network with its card, and maybe a picker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from frostpick.errors import ModelError
from frostpick.models import facility, versions
from frostpick.models.card import ModelCard, PickerSpec
from frostpick.models.model_file import WEIGHTS, ModelFile, filled, read_model_file
from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.box_network import BoxNetwork
from frostpick.models.pruner.registry import build_box_network
from frostpick.models.registry import build_network

KIND = "box-classifier"
#: What the names of the picker's tensors begin with in a pruner's file.
PICKER = "picker."


@dataclass(frozen=True)
class Pruner(ModelFile):
    """A box network with its card, kind ``box-classifier``.

    Parameters
    ----------
    card
        All that is needed to use the network; ``preprocess`` names the grey levels of its
        boxes, whose constant ``side`` is their side in working pixels.
    picker
        The picking network that is asked too (`frostpick.models.pruner.picker_score`), where the
        card names one; likewise. It lies in the same file, so that the scores stay what
        they are when the shipped picker changes.
    """

    network: BoxNetwork
    picker: DenseNetwork | None = None

    @classmethod
    def build(cls, card: ModelCard, tensors: Mapping[str, torch.Tensor]) -> Pruner:
        """Build the card's network and load its tensors; `ModelError` when they do not fit."""
        if card.kind != KIND:
            raise ModelError(
                f"a model of kind {card.kind!r} picks micrographs and cannot prune; give a pruner, "
                "made by frostpick prune or shipped as pruner"
            )
        own = {k: v for k, v in tensors.items() if not k.startswith(PICKER)}
        network = build_box_network(card.network.name, card.network.arguments)
        network = filled(network, f"network {card.network.name!r}", own)
        picker = None
        if card.picker is not None:
            name = card.picker.network.name
            rest = {k[len(PICKER) :]: v for k, v in tensors.items() if k.startswith(PICKER)}
            picker = build_network(name, card.picker.network.arguments)
            picker = filled(picker, f"network {name!r}", rest)
        elif len(own) < len(tensors):
            raise ModelError("tensors of a picking network that the card does not name")
        return cls(card, network, picker)

    def refitted(self, card: ModelCard, state: Mapping[str, torch.Tensor]) -> Pruner:
        """Return a pruner of another card and other weights of the box network, the same picker."""
        kept = self.picker if card.picker is not None else None
        return Pruner.build(card, {**state, **_as_picker(kept)})

    def asking(self, model: PickingModel, weight: float) -> Pruner:
        """Return a pruner that adds ``weight`` times a picking model's logit to its score.

        Raises
        ------
        ModelError
            The model does not score single places, or works at another scale.
        """
        found = model.card
        if found.kind != "dense" or found.px_per_diameter != self.card.px_per_diameter:
            raise ModelError(
                f"a picking model of kind {found.kind!r} with {found.px_per_diameter:g} px a "
                "diameter cannot be asked about the boxes of this pruner; expected kind 'dense' "
                f"with {self.card.px_per_diameter:g}"
            )
        spec = PickerSpec(network=found.network, weight=weight, digest=model.digest)
        card = self.card.model_copy(update={"picker": spec})
        return Pruner.build(card, {**self.network.state_dict(), **_as_picker(model.network)})

    @property
    def side(self) -> int:
        """Side of a box in working pixels."""
        return int(self.card.preprocess.constants.get("side", 64))

    def state(self) -> dict[str, torch.Tensor]:
        """Return the tensors of network and picker by their names in the file."""
        return {**self.network.state_dict(), **_as_picker(self.picker)}

    @classmethod
    def load(cls, path: Path) -> Pruner:
        """Read a pruner's file or the folder that holds one.

        Raises
        ------
        ModelError
            As `ModelFile.load`, or it is no pruner.
        """
        card, tensors = read_model_file(path)
        try:
            return cls.build(card, tensors)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error


def _as_picker(network: DenseNetwork | None) -> dict[str, torch.Tensor]:
    """Return a picking network's tensors by their names in a pruner's file; none of None."""
    return {} if network is None else {PICKER + k: v for k, v in network.state_dict().items()}


#: The name of the one that comes with frostpick.
SHIPPED_NAME = "pruner"


def load_pruner(text: str) -> Pruner:
    """Return the pruner that a text names: a shipped or a facility's name, a file, its folder.

    A shipped name is ``pruner``, the newest, or an exact one such as ``pruner-1``. The
    folder may also be that of a pruning job, which holds it as ``pruner``. A shipped name
    wins; a file or folder of the same name is given as ``./pruner``.

    Raises
    ------
    ModelError
        There is no such pruner, or its file cannot be used.
    """
    own, version = facility.find(text), versions.version_of(text, (SHIPPED_NAME,))
    if own is not None:
        return replace(Pruner.load(own.place), known_as=own.version)
    if version is not None:
        return replace(Pruner.load(versions.WEIGHTS / version), known_as=version)
    path = Path(text)
    if not text or not path.exists():
        raise ModelError(facility.unknown_name("pruner", text, (SHIPPED_NAME,)))
    inner = path / "pruner"
    if inner.is_dir() and not (path / WEIGHTS).exists():
        path = inner
    return Pruner.load(path)
