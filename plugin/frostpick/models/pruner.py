"""A pruner in memory and in its one file: a box network with its card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from frostpick.errors import ModelError
from frostpick.models.box_network import BoxNetwork
from frostpick.models.box_networks import build_box_network
from frostpick.models.card import ModelCard
from frostpick.models.picking_model import (
    WEIGHTS,
    model_digest,
    read_model_file,
    write_model_file,
)

KIND = "box-classifier"


@dataclass(frozen=True)
class Pruner:
    """A box network with its card, kind ``box-classifier``.

    Parameters
    ----------
    card
        All that is needed to use the network; ``preprocess`` names the grey levels of its
        boxes, whose constant ``side`` is their side in working pixels.
    network
        The network, on the CPU, in evaluation mode, float32.
    """

    card: ModelCard
    network: BoxNetwork

    @classmethod
    def build(cls, card: ModelCard, tensors: dict[str, torch.Tensor]) -> Pruner:
        """Build the card's network and load its tensors; `ModelError` when they do not fit."""
        if card.kind != KIND:
            raise ModelError(
                f"a model of kind {card.kind!r} picks micrographs and cannot prune; give a pruner, "
                "made by frostpick prune or shipped as pruner"
            )
        network = build_box_network(card.network.name, card.network.arguments)
        try:
            network.load_state_dict(tensors, strict=True)
        except RuntimeError as error:
            raise ModelError(
                f"tensors do not fit network {card.network.name!r}: {error}"
            ) from error
        return cls(card, network.eval().requires_grad_(False))

    @property
    def side(self) -> int:
        """Side of a box in working pixels."""
        return int(self.card.preprocess.constants.get("side", 64))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the network's tensors, contiguous, on the CPU."""
        return {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical card and every tensor."""
        return model_digest(self.card, self.tensors())

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and its readable copy ``model.json``, atomically."""
        write_model_file(folder, self.card, self.tensors())

    @classmethod
    def load(cls, path: Path) -> Pruner:
        """Read a pruner's file or the folder that holds one.

        Raises
        ------
        ModelError
            As `frostpick.models.picking_model.PickingModel.load`, or it is no pruner.
        """
        card, tensors = read_model_file(path)
        try:
            return cls.build(card, tensors)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error


#: Folder of the weights that come with frostpick, and the name they go by.
SHIPPED = Path(__file__).parent / "weights" / "pruner"
SHIPPED_NAME = "pruner"


def load_pruner(text: str) -> Pruner:
    """Return the pruner that a text names: the shipped name, a file, or its folder.

    The folder may also be that of a pruning job, which holds it as ``pruner``. The
    shipped name wins; a file or folder of the same name is given as ``./pruner``.

    Raises
    ------
    ModelError
        There is no such pruner, or its file cannot be used.
    """
    if text == SHIPPED_NAME:
        return Pruner.load(SHIPPED)
    path = Path(text)
    if not text or not path.exists():
        raise ModelError(
            f"pruner {text!r} is neither a file, a folder nor the shipped one, which is called "
            f"{SHIPPED_NAME!r}"
        )
    inner = path / "pruner"
    if inner.is_dir() and not (path / WEIGHTS).exists():
        path = inner
    return Pruner.load(path)
