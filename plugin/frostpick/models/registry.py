"""The registry of networks a model card may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from frostpick.errors import ModelError
from frostpick.models.cryomae.exemplar import ExemplarNetwork
from frostpick.models.networks.blob import DifferenceOfGaussians
from frostpick.models.networks.conv import ConvNet
from frostpick.models.networks.deepem import LAYOUTS, DeepEM
from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.networks.dilated import DilatedResNet
from frostpick.models.networks.resnet import ResNet8

NETWORKS: Mapping[str, Callable[..., DenseNetwork]] = {
    "dilated": DilatedResNet,
    "resnet8": ResNet8,
    "conv31": partial(ConvNet, 31),
    "conv63": partial(ConvNet, 63),
    "conv127": partial(ConvNet, 127),
    "dog": DifferenceOfGaussians,
    "cryomae": ExemplarNetwork,
    "deepem": DeepEM,
    "deepem-klh": partial(DeepEM, "klh"),
    "deepem-19s": partial(DeepEM, "19s"),
}

#: Networks of fixed widths, and the working pixels a diameter that their windows are made for.
PAPER_PX: Mapping[str, float] = {
    "deepem": LAYOUTS["working"].px_per_diameter,
    "deepem-klh": LAYOUTS["klh"].px_per_diameter,
    "deepem-19s": LAYOUTS["19s"].px_per_diameter,
}


def build_network(name: str, arguments: Mapping[str, int | float | str | bool]) -> DenseNetwork:
    """Build the network a card names; `ModelError` for an unknown one or wrong arguments."""
    if name not in NETWORKS:
        raise ModelError(
            f"unknown network {name!r}; this version knows {', '.join(sorted(NETWORKS))}"
        )
    try:
        return NETWORKS[name](**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"network {name!r}: {error}") from error
