"""The registry of box networks a pruner's card may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from frostpick.errors import ModelError
from frostpick.models.pruner.box_network import BoxNetwork, ResNet18, SlimResNet

BOX_NETWORKS: Mapping[str, Callable[..., BoxNetwork]] = {
    "slim-resnet": SlimResNet,
    "resnet18": ResNet18,
}


def build_box_network(name: str, arguments: Mapping[str, int | float | str | bool]) -> BoxNetwork:
    """Build the network a card names; `ModelError` for an unknown one or wrong arguments."""
    if name not in BOX_NETWORKS:
        raise ModelError(
            f"unknown box network {name!r}; this version knows {', '.join(sorted(BOX_NETWORKS))}"
        )
    try:
        return BOX_NETWORKS[name](**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"box network {name!r}: {error}") from error
