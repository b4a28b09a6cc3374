"""The registry of networks a model card may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from frostpick.errors import ModelError
from frostpick.models.dense import DenseNetwork

NETWORKS: Mapping[str, Callable[..., DenseNetwork]] = {}


def build_network(name: str, arguments: Mapping[str, int | float | str | bool]) -> DenseNetwork:
    """Build the network a card names; `ModelError` for an unknown one or wrong arguments."""
    if name not in NETWORKS:
        raise ModelError(f"unknown network {name!r}; this version knows {', '.join(sorted(NETWORKS))}")
    try:
        return NETWORKS[name](**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"network {name!r}: {error}") from error
