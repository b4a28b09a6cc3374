"""A pretrained masked autoencoder and its one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from frostpick.errors import ModelError
from frostpick.models.card import ModelCard
from frostpick.models.cryomae.autoencoder import MaskedAutoencoder
from frostpick.models.cryomae.presets import PRESETS
from frostpick.models.model_file import ModelFile, filled

KIND, NETWORK = "autoencoder", "mae"


@dataclass(frozen=True)
class AutoencoderModel(ModelFile):
    """A masked autoencoder with its card, kind ``autoencoder``: what few-shot training starts from.

    Its network's only argument is the preset.
    """

    network: MaskedAutoencoder
    stored = torch.float16

    @classmethod
    def build(cls, card: ModelCard, tensors: Mapping[str, torch.Tensor]) -> AutoencoderModel:
        """Build the network and load its tensors; `ModelError` when they do not fit."""
        if card.kind != KIND or card.network.name != NETWORK:
            raise ModelError(
                f"a model of kind {card.kind!r} cannot start few-shot training; expected one of "
                f"kind {KIND!r}, from frostpick pretrain --method mae"
            )
        name = str(card.network.arguments.get("preset"))
        if name not in PRESETS:
            raise ModelError(
                f"preset {name!r} of the autoencoder, expected one of {', '.join(PRESETS)}"
            )
        return cls(card, filled(MaskedAutoencoder(name), f"preset {name!r}", tensors))
