"""The model file: one round trip, and everything that must be refused."""

import json
import struct

import pytest
import torch

from frostpick.errors import ModelError
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.picking_model import PickingModel
from frostpick.models.registry import NETWORKS, build_network

pytestmark = pytest.mark.quick


@pytest.fixture
def model() -> PickingModel:
    torch.manual_seed(3)
    network = build_network("resnet8", {})
    return PickingModel(
        ModelCard(network=NetworkSpec(name="resnet8"), diameter_A=120.0, trained_on={"labels": 7}),
        network.eval().requires_grad_(False),
    )


def test_round_trip_keeps_card_tensors_and_logits(model, tmp_path) -> None:
    model.save(tmp_path)
    again = PickingModel.load(tmp_path)
    assert again.card == model.card and again.digest == model.digest
    x = torch.randn(1, 1, 95, 99, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.network(x), model.network(x))
    assert PickingModel.load(tmp_path / "model.safetensors").digest == model.digest


def test_the_file_is_the_same_each_time(model, tmp_path) -> None:
    for name in "abcdef":
        model.save(tmp_path / name)
    files = {(tmp_path / name / "model.safetensors").read_bytes() for name in "abcdef"}
    assert len(files) == 1


def test_every_network_outputs_what_it_says() -> None:
    for name in NETWORKS:
        network = build_network(name, {}).eval()
        assert network.receptive_field % 2 == 1
        height, width = network.input_side(3), network.input_side(5) + network.stride - 1
        with torch.inference_mode():
            assert network(torch.zeros(1, 1, height, width)).shape == (1, 1, 3, 5), name
        assert network.output_side(width) == 5


def _rewrite(folder, change) -> None:
    """Change the metadata of a model file without a hand on its tensors."""
    file = folder / "model.safetensors"
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header["__metadata__"])
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def _edit_card(**changes):
    def change(metadata) -> None:
        about = json.loads(metadata["frostpick"])
        about["card"].update(changes)
        metadata["frostpick"] = json.dumps(about)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_edit_card(format=99), "format 99"),
        (_edit_card(requires=["telepathy"]), "telepathy"),
        (_edit_card(kind="oracle"), "kind"),
        (_edit_card(colour="blue"), "colour"),
        (_edit_card(diameter_A=140.0), "digest"),
        (lambda m: m.pop("frostpick"), "without a frostpick card"),
        (lambda m: m.update(frostpick="{"), "not JSON"),
    ],
)
def test_changed_cards_are_refused(model, tmp_path, change, message) -> None:
    model.save(tmp_path)
    (tmp_path / "model.json").unlink()
    _rewrite(tmp_path, change)
    with pytest.raises(ModelError, match=message):
        PickingModel.load(tmp_path)


def test_changed_tensor_is_refused(model, tmp_path) -> None:
    model.save(tmp_path)
    file = tmp_path / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="digest"):
        PickingModel.load(tmp_path)


@pytest.mark.parametrize("size", [0, 5, 100, -10])
def test_truncated_file_is_refused(model, tmp_path, size) -> None:
    model.save(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        PickingModel.load(tmp_path)


def test_different_copy_of_the_card_is_refused(model, tmp_path) -> None:
    model.save(tmp_path)
    card = tmp_path / "model.json"
    card.write_text(card.read_text().replace("120.0", "121.0"))
    with pytest.raises(ModelError, match=r"model\.json: differs"):
        PickingModel.load(tmp_path)


def test_missing_file_names_the_path(tmp_path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        PickingModel.load(tmp_path / "nothing")


def test_tensors_of_another_network_are_refused(model) -> None:
    card = model.card.model_copy(update={"network": NetworkSpec(name="conv31")})
    with pytest.raises(ModelError, match="do not fit"):
        PickingModel.build(card, model.tensors())
    with pytest.raises(ModelError, match="unknown network 'alexnet'"):
        build_network("alexnet", {})


def test_card_holds_no_path_and_no_nan(model) -> None:
    with pytest.raises(ValueError, match="finite"):
        ModelCard(network=NetworkSpec(name="resnet8"), threshold=float("nan"))
