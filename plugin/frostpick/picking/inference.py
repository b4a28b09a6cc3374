"""A network made ready to score: on its device, folded, in its precision and memory layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.networks.fold import folded
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.precision import Precision, native_precision


class InferenceNetwork(DenseNetwork):
    """Scores float32 pixels to float32 logits with a folded copy of another network.

    In bfloat16 the layer called ``head`` stays float32: its output is the logit, of
    which bfloat16 keeps two digits only.

    Parameters
    ----------
    network
        Left unchanged.
    device, precision
        Where and in which type to compute.
    """

    def __init__(self, network: DenseNetwork, device: torch.device, precision: Precision) -> None:
        super().__init__()
        self.stride, self.receptive_field = network.stride, network.receptive_field
        self.device, self.precision = device, precision
        self._dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        inner = folded(network).to(device, self._dtype)
        head = getattr(inner, "head", None)
        if isinstance(head, nn.Module) and precision == "bfloat16":
            head.float().register_forward_pre_hook(_as_float32)
        self.inner = inner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score ``(b, 1, h, w)`` float32; return logits ``(b, 1, oh, ow)`` float32."""
        logits: torch.Tensor = self.inner(x.to(self._dtype)).to(torch.float32)
        return logits


def prepared_for_inference(
    model: PickingModel, device: torch.device, precision: Precision
) -> PickingModel:
    """Return a model whose network is ready for a device: itself when it is."""
    network = model.network
    if isinstance(network, InferenceNetwork):
        if network.device == device and network.precision == precision:
            return model
        raise ValueError(f"the network is made ready for {network.device}, not for {device}")
    ready = replace(model, network=InferenceNetwork(network, device, precision))
    vars(ready)["digest"] = model.digest  # that of the model as it was given, not of the copy
    return ready


def choose_precision(network: DenseNetwork, devices: Sequence[torch.device]) -> Precision:
    """Return the one precision for a network on all of some devices.

    float32 for a fixed filter, else the devices' own where they agree. What is learned
    stands the rounding of bfloat16 (measured: well within the tolerance between devices);
    a difference of two filters cancels most of its digits.
    """
    may = any(True for _ in network.parameters()) and not network.only_float32
    native = {native_precision(device) for device in devices}
    return "bfloat16" if may and native == {"bfloat16"} else "float32"


def _as_float32(layer: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x.to(torch.float32) for x in arguments)
