"""A model on its way to another process: its card as JSON and its tensors as arrays.

Work objects (`frostpick.runtime.executors`) are pickled for that way; a network is not
itself, as its class may be none that another process knows, and tensors would share memory.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from numpy.typing import NDArray

from frostpick.models.card import ModelCard
from frostpick.models.model_file import ModelFile

Model = TypeVar("Model", bound=ModelFile)


def taken_apart(model: Model) -> tuple[type[Model], str, dict[str, NDArray[Any]]]:
    """Return the arguments of `put_together`, plain values."""
    arrays = {name: tensor.numpy() for name, tensor in model.tensors().items()}
    return type(model), model.card.canonical(), arrays


def put_together(kind: type[Model], card: str, arrays: dict[str, NDArray[Any]]) -> Model:
    """Return a model of the same digest as the one that was taken apart."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return kind.build(ModelCard.model_validate_json(card), tensors)
