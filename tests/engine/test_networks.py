"""Every network keeps the promise of its stride and receptive field."""

from __future__ import annotations

import pytest
import torch

from frostpick.errors import ModelError
from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.registry import build_network

pytestmark = pytest.mark.quick

FIELDS = {"resnet8": 71, "conv31": 31, "conv63": 63, "conv127": 127}


def make(name: str, **arguments: int | str) -> DenseNetwork:
    torch.manual_seed(3)
    network = build_network(name, {"units": 4, **arguments})
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # running statistics other than 0 and 1
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("norm", ["batch", "channel", "none"])
@pytest.mark.parametrize("name", FIELDS)
def test_field_and_stride_by_gradient(name: str, norm: str) -> None:
    network = make(name, norm=norm)
    field = FIELDS[name]
    assert (network.receptive_field, network.stride) == (field, 4)
    rows, columns = field + 4 * 3 + 2, field + 4 * 2
    x = torch.randn(1, 1, rows, columns, requires_grad=True)
    out = network(x)
    assert (
        out.shape == (1, 1, 4, 3) == (1, 1, network.output_side(rows), network.output_side(columns))
    )
    out[0, 0, 2, 1].backward()
    assert x.grad is not None
    touched = x.grad[0, 0].abs() > 0
    at_rows, at_columns = touched.any(1).nonzero().flatten(), touched.any(0).nonzero().flatten()
    assert 8 <= at_rows[0] and at_rows[-1] <= 8 + field - 1
    assert 4 <= at_columns[0] and at_columns[-1] <= 4 + field - 1


@pytest.mark.parametrize("name", FIELDS)
def test_field_is_reached(name: str) -> None:
    network = make(name, norm="channel")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.abs_()  # nothing dies, so every pixel of the field counts
    for norm in network.modules():
        if hasattr(norm, "weight") and type(norm).__name__ == "ChannelNorm":
            norm.forward = lambda x: x  # type: ignore[method-assign]
    field = FIELDS[name]
    x = torch.rand(1, 1, field, field, requires_grad=True)
    network(x).sum().backward()
    assert x.grad is not None
    corners = x.grad[0, 0][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners > 0).all()


@pytest.mark.parametrize("name", FIELDS)
def test_tile_equals_whole(name: str) -> None:
    network = make(name)
    whole = torch.randn(1, 1, 215, 231)
    logits = network(whole)
    side = network.input_side(5)
    tile = network(whole[:, :, 12 : 12 + side, 8 : 8 + side])
    assert tile.shape[-2:] == (5, 5)
    torch.testing.assert_close(tile, logits[:, :, 3:8, 2:7], atol=1e-5, rtol=1e-4)


def test_wrong_arguments_are_model_errors() -> None:
    for name, arguments in (
        ("resnet9", {}),
        ("resnet8", {"units": 0}),
        ("resnet8", {"norm": "group"}),
        ("conv31", {"width": 3}),
    ):
        with pytest.raises(ModelError, match=name):
            build_network(name, arguments)
