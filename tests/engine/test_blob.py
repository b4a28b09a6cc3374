import numpy as np
import pytest
import torch
from made_images import draw_discs

from frostpick.errors import ModelError
from frostpick.models.networks.blob import DifferenceOfGaussians
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model, shipped, shipped_names
from frostpick.picking.dense import score_map
from frostpick.picking.selectors.disc_nms import find_peaks
from frostpick.preprocess import WorkingImage
from frostpick.sampling import Sampling


def disc(shape, centre, diameter, depth=-2.0):
    image = np.zeros(shape, np.float32)
    draw_discs(image, centre[::-1], -depth, diameter / 2)
    return torch.from_numpy(image)


def scores(data):
    shape = tuple(data.shape)
    sampling = Sampling(shape, (1.0, 1.0), (0.0, 0.0), (4.0, 4.0))
    return score_map(shipped("blob").network, WorkingImage(data, sampling))


def test_a_disc_is_found_at_its_centre():
    peaks = find_peaks(scores(disc((300, 280), (141.3, 120.9), 32)), 1e9, 0.0, 1)
    assert peaks.y_px[0] == pytest.approx(141.3, abs=0.25)
    assert peaks.x_px[0] == pytest.approx(120.9, abs=0.25)


def test_the_answer_is_largest_at_its_own_diameter_and_for_dark():
    tops = [float(scores(disc((300, 300), (150, 150), d)).logits.max()) for d in (12, 32, 90)]
    assert tops[1] > tops[0] and tops[1] > tops[2]
    assert float(scores(disc((300, 300), (150, 150), 32, +2.0)).logits[37, 37]) < 0


def test_ice_answers_nothing_white_noise_one_and_carbon_less():
    assert float(scores(torch.full((200, 200), -0.4)).logits.abs().max()) < 1e-3
    torch.manual_seed(0)
    assert float(scores(torch.randn(900, 900)).logits.std()) == pytest.approx(1.0, abs=0.1)
    particle = disc((300, 300), (150, 150), 32)
    on_ice, on_carbon = (float(scores(particle - level).logits[37, 37]) for level in (0.0, 4.0))
    assert on_carbon < 0 < on_ice


def test_tiles_do_not_matter():
    torch.manual_seed(0)
    network = DifferenceOfGaussians(20.0, 2).eval()
    image = WorkingImage(
        torch.randn(200, 150), Sampling((200, 150), (1.0, 1.0), (0.0, 0.0), (4.0, 4.0))
    )
    whole, tiles = score_map(network, image), score_map(network, image, tile=17)
    assert float((whole.logits - tiles.logits).abs().max()) < 1e-5


def test_the_field_is_odd_and_arguments_are_checked():
    assert DifferenceOfGaussians().receptive_field % 2 == 1
    with pytest.raises(ValueError, match="diameter_px"):
        DifferenceOfGaussians(1.0)


def test_shipped_models_have_a_digest_and_go_through_a_file(tmp_path):
    model = shipped("blob")
    assert model is not None and model.card.diameter_A is None and model.tensors() == {}
    model.save(tmp_path)
    assert load_model(str(tmp_path)).digest == model.digest
    model.save(tmp_path / "train" / "model")
    assert load_model(str(tmp_path / "train")).digest == model.digest
    assert load_model(str(tmp_path / "model.safetensors")).card == model.card
    assert load_model("blob").digest == model.digest


def test_a_model_that_is_not_there_names_those_that_are(tmp_path):
    assert "blob" in shipped_names() and shipped("nonsense") is None
    for text in ("nonsense", "", str(tmp_path / "absent.safetensors")):
        with pytest.raises(ModelError, match=r"shipped are: .*blob"):
            load_model(text)
    with pytest.raises(ModelError, match="no such model file"):
        load_model(str(tmp_path))
    assert PickingModel.build(shipped("blob").card, {}).digest == shipped("blob").digest
