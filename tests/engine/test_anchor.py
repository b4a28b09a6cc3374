"""Fine-tuning is held near its start."""

from __future__ import annotations

import math

import pytest
import torch

from frostpick.config import TrainSettings, resolve
from frostpick.errors import ConfigError
from frostpick.models.dense import DenseNetwork
from frostpick.training.anchor import Anchor


class Constant(DenseNetwork):
    """Scores every output alike."""

    stride, receptive_field = 1, 1

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = torch.nn.Parameter(torch.tensor(logit))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0 + self.logit


def test_weights_and_targets_by_hand() -> None:
    start = Constant(0.5)
    anchor = Anchor(start, labels=60, sharpness=2.0, given=20, device=torch.device("cpu"))
    tiles = torch.zeros(1, 1, 2, 2)
    logits = torch.tensor([[[0.0, 2.0], [-1.0, 9.0]]])
    at = torch.tensor([[[True, True], [True, False]]])
    p = 1 / (1 + math.exp(-1.0))  # sigmoid(2 * 0.5)
    each = [
        -p * math.log(s) - (1 - p) * math.log(1 - s)
        for s in (0.5, 0.8807970779778823, 0.2689414213699951)
    ]
    expected = 0.25 * 3.0 + 0.75 * sum(each) / 3
    assert float(anchor.loss(torch.tensor(3.0), tiles, logits, at)) == pytest.approx(expected)
    with torch.no_grad():
        start.logit.fill_(100.0)  # what the training does to its own network does not move it
    assert float(anchor.loss(torch.tensor(3.0), tiles, logits, at)) == pytest.approx(expected)


def test_without_unlabelled_outputs_the_labels_decide() -> None:
    anchor = Anchor(Constant(0.0), labels=60, sharpness=2.0, given=20, device=torch.device("cpu"))
    none = torch.zeros(1, 2, 2, dtype=torch.bool)
    loss = anchor.loss(torch.tensor(3.0), torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2), none)
    assert float(loss) == 3.0


def test_a_named_network_starts_from_nothing() -> None:
    assert TrainSettings().start_from == "general"
    assert TrainSettings(network="conv31").start_from == "none"
    assert resolve(TrainSettings, ("command line", {"network": "conv31"})).start_from == "none"
    with pytest.raises(ConfigError, match="starts from nothing, not from general"):
        resolve(TrainSettings, ("command line", {"network": "conv31", "from": "general"}))
