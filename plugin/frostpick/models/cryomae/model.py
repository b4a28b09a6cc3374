"""A pretrained masked autoencoder and its one file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from frostpick.errors import ModelError
from frostpick.models.card import ModelCard
from frostpick.models.cryomae.autoencoder import MaskedAutoencoder
from frostpick.models.cryomae.presets import PRESETS
from frostpick.models.picking_model import model_digest, read_model_file, write_model_file

KIND, NETWORK = "autoencoder", "mae"


@dataclass(frozen=True)
class AutoencoderModel:
    """A masked autoencoder with its card, kind ``autoencoder``: what few-shot training starts from.

    Parameters
    ----------
    card
        Its network's only argument is the preset.
    network
        On the CPU, float32, in evaluation mode.
    """

    card: ModelCard
    network: MaskedAutoencoder

    @classmethod
    def build(cls, card: ModelCard, tensors: dict[str, torch.Tensor]) -> AutoencoderModel:
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
        network = MaskedAutoencoder(name)
        try:
            network.load_state_dict(tensors, strict=True)
        except RuntimeError as error:
            raise ModelError(f"tensors do not fit preset {name!r}: {error}") from error
        return cls(card, network.eval().requires_grad_(False))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the network's tensors in half precision: what the file holds."""
        state = self.network.state_dict()
        return {k: v.detach().cpu().to(torch.float16).contiguous() for k, v in state.items()}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over card and tensors."""
        return model_digest(self.card, self.tensors())

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` in half precision, and ``model.json``."""
        write_model_file(folder, self.card, self.tensors())

    @classmethod
    def load(cls, path: Path) -> AutoencoderModel:
        """Read a model file or its folder; `ModelError` where it cannot be used."""
        return cls.build(*read_model_file(path))
