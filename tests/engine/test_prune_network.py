"""Box networks: cost, heads, files, and a start from a checkpoint of general images."""

import math

import pytest
import torch
from pruning.macs import macs_per_box
from safetensors.torch import save_file
from tiny_pruner import SIDE, pruner_card, tiny_pruner
from torch.nn import functional as F

from frostpick.errors import ModelError
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.box_network import CLASSES, ResNet18, SlimResNet
from frostpick.models.pruner.imagenet import load_imagenet
from frostpick.models.pruner.model import Pruner, load_pruner
from frostpick.models.pruner.registry import build_box_network
from frostpick.models.versions import VERSIONS, WEIGHTS
from frostpick.pruning.box_scorer import BoxScorer
from frostpick.training.pruner.losses import (
    LossWeights,
    binary_loss,
    class_loss,
    disagreement,
    good_bad_loss,
    log_odds,
    unlabelled_loss,
)


def test_cost_is_that_of_a_hand_count():
    """Units 2, side 32: stem, six pairs with three projections, the two heads."""
    u, s = 2, 16
    total = 25 * u * s * s  # stem, stride 2
    total += 2 * 9 * u * u * s * s
    for wide in (2, 4, 8):
        s //= 2
        half, full = wide * u // 2, wide * u
        total += (9 * half * full + 9 * full * full + half * full) * s * s
        if wide < 8:
            total += 2 * 9 * full * full * s * s
    maps, classes = 8 * u, len(CLASSES)
    total += 2 * maps * classes + maps * (maps // 2) * s * s + maps * classes
    assert macs_per_box(SlimResNet(units=2), 32) == total


def test_default_costs_at_most_a_tenth_of_a_gmac():
    assert macs_per_box(SlimResNet(), 64) <= 100_000_000


def test_second_head_sees_half_the_channels():
    network = SlimResNet(units=2)
    assert network.halve[0].weight.shape == (8, 16, 1, 1)
    assert network(torch.zeros(3, 1, 64, 64)).shape == (3, 2, len(CLASSES))
    assert SlimResNet(units=2, heads=1)(torch.zeros(3, 1, 64, 64)).shape == (3, 1, len(CLASSES))


def test_unknown_networks_are_told():
    with pytest.raises(ModelError, match="unknown box network 'vgg'"):
        build_box_network("vgg", {})
    with pytest.raises(ModelError, match="heads 3"):
        build_box_network("slim-resnet", {"heads": 3})


def resnet18_state(seed=0):
    """Return a state with the names and shapes of the usual checkpoint, three colours and fc."""
    torch.manual_seed(seed)
    state = {k: v.clone() for k, v in ResNet18(heads=1).state_dict().items()}
    state = {k: v for k, v in state.items() if not k.startswith("head_a")}
    state["conv1.weight"] = torch.randn(64, 3, 7, 7)
    state["fc.weight"], state["fc.bias"] = torch.randn(10, 512), torch.zeros(10)
    return state


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_imagenet_start_sums_the_colours(tmp_path, kind):
    state = resnet18_state()
    path = tmp_path / ("r.safetensors" if kind == "safetensors" else "r.pth")
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    network = ResNet18().eval()
    load_imagenet(network, path)
    grey = torch.randn(1, 1, 64, 64)
    colour = F.conv2d(grey.expand(1, 3, 64, 64), state["conv1.weight"], stride=2, padding=3)
    assert torch.allclose(network.conv1(grey), colour, atol=1e-4)
    assert torch.equal(
        network.state_dict()["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"]
    )
    assert network(grey).shape == (1, 2, len(CLASSES))


class Evil:
    def __reduce__(self):
        return (print, ("ran",))


def test_other_checkpoints_are_refused(tmp_path, capsys):
    network = ResNet18()
    state = resnet18_state()
    del state["layer2.0.conv1.weight"]
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=r"layer2\.0\.conv1\.weight is missing"):
        load_imagenet(network, tmp_path / "a.safetensors")
    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match="tensors"):
        load_imagenet(network, tmp_path / "evil.pth")
    assert "ran" not in capsys.readouterr().out
    with pytest.raises(ModelError, match="cannot be read"):
        load_imagenet(network, tmp_path / "none.pth")


def test_pruner_file_keeps_scores_and_is_no_picking_model(tmp_path):
    pruner = tiny_pruner()
    pruner.save(tmp_path / "pruner")
    again = load_pruner(str(tmp_path))
    assert again.card == pruner.card and again.digest == pruner.digest
    x = torch.randn(2, 1, SIDE, SIDE)
    assert torch.equal(again.network(x), pruner.network(x))
    with pytest.raises(ModelError, match="prunes picks and cannot make them"):
        PickingModel.load(tmp_path / "pruner")
    blob = tmp_path / "blob"
    from frostpick.models.shipped import shipped

    shipped("blob").save(blob)
    with pytest.raises(ModelError, match="picks micrographs and cannot prune"):
        Pruner.load(blob)
    with pytest.raises(ModelError, match="neither a file, a folder nor the shipped one"):
        load_pruner("nothing-here")


def test_scorer_knows_one_and_four_rotations_only():
    with pytest.raises(ValueError, match="rotations 2"):
        BoxScorer(tiny_pruner(), rotations=2)
    assert pruner_card().kind == "box-classifier"


def softmax(values):
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def test_class_loss_is_the_hand_sum():
    a, b, y = [2.0, 0.5, -1.0], [0.3, 1.2, 0.1], 1
    pa, pb = softmax(a), softmax(b)
    plain = -math.log(pa[y])
    smooth = -sum((0.9 * (k == y) + 0.1 / 3) * math.log(pb[k]) for k in range(3))
    mean = [(p + q) / 2 for p, q in zip(pa, pb, strict=True)]
    js = sum(
        0.5 * (p * math.log(p / m) + q * math.log(q / m))
        for p, q, m in zip(pa, pb, mean, strict=True)
    )
    odds = [math.log(p[0] / (1 - p[0])) for p in (pa, pb)]
    binary = sum(math.log(1 + math.exp(s)) for s in odds) / 2  # y is no particle
    weights = LossWeights(second=0.7, agreement=0.3, binary=0.2)
    logits = torch.tensor([[a, b]])
    found = class_loss(logits, torch.tensor([y]), weights)
    assert float(found) == pytest.approx(plain + 0.7 * smooth + 0.3 * js + 0.2 * binary, abs=1e-5)
    assert float(disagreement(logits)) == pytest.approx(js, abs=1e-6)
    assert float(log_odds(logits)[0, 0]) == pytest.approx(odds[0], abs=1e-5)
    good_bad = good_bad_loss(logits, torch.tensor([0.0]), weights)
    assert float(good_bad) == pytest.approx(binary + 0.3 * js, abs=1e-5)


def test_positive_unlabelled_risk_is_the_hand_sum_and_never_negative():
    def logits(score):
        return torch.tensor([[[s, 0.0]] for s in score])  # one head, two classes: log-odds s

    known, rest, prior = [1.0, -0.5], [0.3, -2.0, 1.5], 0.4
    plus = lambda z: sum(math.log(1 + math.exp(-s)) for s in z) / len(z)  # noqa: E731
    minus = lambda z: sum(math.log(1 + math.exp(s)) for s in z) / len(z)  # noqa: E731
    expected = prior * plus(known) + max(0.0, minus(rest) - prior * minus(known))
    mask = torch.tensor([True, True, False, False, False])
    found = unlabelled_loss(logits(known + rest), mask, prior)
    assert float(found) == pytest.approx(expected, abs=1e-6)
    sure = unlabelled_loss(logits([9.0, 9.0, -9.0, -9.0, -9.0]), mask, 0.9)
    assert float(sure) == pytest.approx(0.9 * plus([9.0]), abs=1e-6)


def test_binary_loss_takes_weights():
    logits = torch.tensor([[[1.0, 0.0]], [[-2.0, 0.0]]])
    good = torch.tensor([1.0, 1.0])
    each = [math.log(1 + math.exp(-1.0)), math.log(1 + math.exp(2.0))]
    found = binary_loss(logits, good, torch.tensor([3.0, 1.0]))
    assert float(found) == pytest.approx((3 * each[0] + each[1]) / 4, abs=1e-6)


def test_shipped_pruner_is_small_and_trained_on_simulations_only():
    pruner = load_pruner("pruner")
    assert (WEIGHTS / VERSIONS["pruner"][-1] / "model.safetensors").stat().st_size < 10_000_000
    assert macs_per_box(pruner.network, pruner.side) <= 100_000_000
    assert pruner.card.diameter_A is None and pruner.card.parent is None
    assert "simulated" in pruner.card.trained_on["kind"]
