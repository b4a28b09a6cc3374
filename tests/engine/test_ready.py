from dataclasses import replace

import pytest
import torch
from torch import nn

from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.networks.fold import folded
from frostpick.models.picking_model import PickingModel
from frostpick.models.registry import build_network
from frostpick.models.shipped import shipped
from frostpick.picking.inference import choose_precision, prepared_for_inference
from frostpick.picking.plan import plan_picking
from frostpick.runtime import precision
from frostpick.settings import PickSettings
from frostpick_jobs.store.keys import plan_settings

CPU = torch.device("cpu")


def used_network(name, norm="batch", seed=0):
    """A network whose batch statistics and factors are far from those of a new one."""
    torch.manual_seed(seed)
    network = build_network(name, {"units": 4, "norm": norm}).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.2, 3.0)
            nn.init.uniform_(module.weight, -1.0, 2.0)
            nn.init.normal_(module.bias)
    return network


def model_of(network, name="resnet8"):
    return PickingModel(ModelCard(network=NetworkSpec(name=name, arguments={"units": 4})), network)


@pytest.mark.parametrize("name", ["resnet8", "conv31", "conv127"])
@pytest.mark.parametrize("norm", ["batch", "channel", "none"])
def test_a_folded_network_is_the_same_function(name, norm):
    network = used_network(name, norm)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    x = torch.randn(2, 1, network.receptive_field + 20, network.receptive_field + 12)
    fewer = folded(network)
    with torch.inference_mode():
        expected, found = network(x), fewer(x)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fewer.modules())
    after = network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_a_norm_behind_no_convolution_is_kept():
    layers = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.BatchNorm2d(3)).eval()
    layers[2].running_mean.normal_()
    x = torch.randn(1, 1, 9, 9)
    with torch.inference_mode():
        assert torch.equal(folded(layers)(x), layers(x))


def test_a_model_is_made_ready_once_and_the_given_one_is_left_alone():
    network = used_network("resnet8")
    model = model_of(network)
    ready = prepared_for_inference(model, CPU, "float32")
    assert ready is not model and model.network is network
    assert prepared_for_inference(ready, CPU, "float32") is ready
    assert ready.digest == model.digest == model_of(used_network("resnet8")).digest
    assert all(weight.is_contiguous() for weight in network.parameters())
    with pytest.raises(ValueError, match="ready"):
        prepared_for_inference(ready, CPU, "bfloat16")


def test_bfloat16_logits_keep_their_digits():
    """The last layer is float32: logits are no multiples of bfloat16's steps, and near."""
    network = used_network("resnet8")
    x = torch.randn(1, 1, 271, 271)
    with torch.inference_mode():
        exact = prepared_for_inference(model_of(network), CPU, "float32").network(x)
        half = prepared_for_inference(model_of(network), CPU, "bfloat16").network(x)
    assert half.dtype == torch.float32
    assert not torch.equal(half, half.to(torch.bfloat16).to(torch.float32))
    error = (half - exact).std() / exact.std()
    assert 1e-5 < error < 0.02


def test_a_fixed_filter_and_unlike_devices_stay_float32(monkeypatch):
    own = {CPU: "bfloat16", torch.device("cuda", 0): "bfloat16", torch.device("cuda", 1): "float32"}
    monkeypatch.setattr("frostpick.picking.inference.native_precision", own.get)
    gpus = [torch.device("cuda", 0), torch.device("cuda", 1)]
    assert choose_precision(shipped("blob").network, [CPU]) == "float32"
    assert choose_precision(used_network("resnet8"), [CPU]) == "bfloat16"
    assert choose_precision(used_network("resnet8"), gpus[:1]) == "bfloat16"
    assert choose_precision(used_network("resnet8"), gpus) == "float32"


@pytest.mark.parametrize(
    "text,expected",
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512f avx512_bf16 fma\n", "bfloat16"),
        ("flags : fpu avx2\n", "float32"),
        ("Features : fp asimd bf16\n", "float32"),
        (None, "float32"),
    ],
)
def test_processors_are_asked_for_their_flags(tmp_path, monkeypatch, text, expected):
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(precision, "CPU_INFO", file)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert precision.native_precision(CPU) == expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert precision.native_precision(CPU) == "float32"


@pytest.mark.parametrize("capability,expected", [((7, 5), "float32"), ((8, 0), "bfloat16")])
def test_gpus_are_asked_for_their_capability(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.native_precision(torch.device("cuda", 0)) == expected


def test_the_precision_is_in_the_key_of_a_result():
    plan = plan_picking(shipped("blob"), PickSettings(diameter=100.0, device="cpu"))
    assert plan_settings(plan)["precision"] == "float32"
    assert plan_settings(plan) != plan_settings(replace(plan, precision="bfloat16"))
