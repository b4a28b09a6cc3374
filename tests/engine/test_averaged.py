"""A step of training that goes wrong is told, and does not spoil the weights."""

from __future__ import annotations

import pytest
import torch

from frostpick.errors import ModelError
from frostpick.models.registry import build_network
from frostpick.training.picker.ema import EmaTraining, Schedule


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_an_error(factor: float) -> None:
    network = build_network("resnet8", {"units": 2})
    training = EmaTraining(network, Schedule(steps=3), torch.device("cpu"))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    weights = next(network.parameters())
    with pytest.raises(ModelError, match=r"step 0.*expected a number.*--network"):
        training.descend((weights * factor).sum())
    assert training.done == 0
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    training.descend(weights.sum())
    assert training.done == 1
    assert not torch.equal(weights, before[next(iter(dict(network.named_parameters())))])
