"""A picking model in memory and in its one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from frostpick.errors import ModelError
from frostpick.models.card import ModelCard
from frostpick.models.model_file import ModelFile, filled
from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.registry import build_network


@dataclass(frozen=True)
class PickingModel(ModelFile):
    """A network that scores every place of a micrograph, with its card."""

    network: DenseNetwork

    @classmethod
    def build(cls, card: ModelCard, tensors: Mapping[str, torch.Tensor]) -> PickingModel:
        """Build the card's network and load its tensors; `ModelError` when they do not fit."""
        if card.kind == "box-classifier":
            raise ModelError(
                "a model of kind 'box-classifier' prunes picks and cannot make them; give it as "
                "frostpick prune --pruner"
            )
        if card.kind == "autoencoder":
            raise ModelError(
                "a model of kind 'autoencoder' cannot pick by itself; give it to frostpick fewshot"
            )
        network = build_network(card.network.name, card.network.arguments)
        return cls(card, filled(network, f"network {card.network.name!r}", tensors))
