import numpy as np
import pytest
import torch

from frostpick.errors import ModelError
from frostpick.models.card import PreprocessSpec
from frostpick.preprocess.gaussian_mixture import fit_gaussian_mixture
from frostpick.preprocess.normalise import full_constants, ice_mask, normalise

pytestmark = pytest.mark.quick

CONSTANTS = full_constants(PreprocessSpec())


def noise(shape=(400, 400), mean=0.0, sigma=1.0, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).normal(mean, sigma, shape).astype(np.float32)
    )


def test_two_modes_of_known_mixture():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(2.0, 0.5, 3000), rng.normal(7.0, 0.5, 7000)])
    modes = fit_gaussian_mixture(torch.from_numpy(values))
    assert modes.mean_dark == pytest.approx(2.0, abs=0.05)
    assert modes.mean_bright == pytest.approx(7.0, abs=0.05)
    assert modes.weight_bright == pytest.approx(0.7, abs=0.01)
    assert modes.separation == pytest.approx(10.0, rel=0.05)
    assert 3.5 < modes.boundary < 5.5


def test_two_modes_of_one_value():
    assert fit_gaussian_mixture(torch.full((50,), 3.0)).separation == 0.0


@pytest.mark.parametrize("fraction", [0.12, 0.3, 0.6, 0.9])
def test_ice_is_the_brighter_mode_whatever_the_carbon(fraction):
    image = noise(mean=100.0, sigma=5.0)
    edge = round(400 * fraction)
    image[:, :edge] -= 40.0
    out = normalise(image, 32.0, CONSTANTS)
    ice = out[:, edge + 40 :] if fraction < 0.9 else out[:, edge + 10 :]
    assert float(ice.mean()) == pytest.approx(0.0, abs=0.1)
    assert float(ice.std()) == pytest.approx(1.0, abs=0.06)
    assert float(out[:, : edge - 32].mean()) < -5.0


def test_a_sliver_of_vacuum_is_not_ice():
    image = noise(mean=100.0, sigma=5.0)
    image[:, :8] += 60.0
    out = normalise(image, 32.0, CONSTANTS)
    assert float(out[:, 40:].mean()) == pytest.approx(0.0, abs=0.05)


def test_one_mode_falls_back_to_robust_mean_and_deviation():
    image = noise(mean=-7.0, sigma=3.0)
    assert ice_mask(image, 32.0, CONSTANTS) is None
    out = normalise(image, 32.0, CONSTANTS)
    assert float(out.mean()) == pytest.approx(0.0, abs=0.02)
    assert float(out.std()) == pytest.approx(1.0, abs=0.02)


def test_particles_come_out_negative_and_crystals_are_cut():
    image = noise(mean=50.0, sigma=2.0)
    image[100:120, 100:120] -= 6.0
    image[300:330, 300:330] -= 400.0
    out = normalise(image, 32.0, CONSTANTS)
    assert float(out[100:120, 100:120].mean()) == pytest.approx(-3.0, abs=0.3)
    assert float(out.min()) == -CONSTANTS["clip"]
    assert float(out[:90, :90].std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("gain,offset", [(1e-4, 0.0), (300.0, -5e4)])
def test_grey_scale_does_not_matter(gain, offset):
    image = noise()
    image[:, :100] -= 8.0
    same = normalise(image.clone() * gain + offset, 32.0, CONSTANTS)
    assert torch.allclose(same, normalise(image, 32.0, CONSTANTS), atol=0.02)


def test_constant_and_not_finite_images_are_refused():
    with pytest.raises(ValueError, match="constant"):
        normalise(torch.full((64, 64), 5.0), 32.0, CONSTANTS)
    image = noise((64, 64))
    image[3, 3] = float("nan")
    with pytest.raises(ValueError, match="finite"):
        normalise(image, 32.0, CONSTANTS)


def test_constants_are_filled_in_and_unknown_ones_refused():
    assert full_constants(PreprocessSpec(constants={"clip": 4.0}))["clip"] == 4.0
    assert CONSTANTS["block"] == 1.0
    with pytest.raises(ModelError, match="blok"):
        full_constants(PreprocessSpec(constants={"blok": 4.0}))
    with pytest.raises(ModelError, match="version 9"):
        full_constants(PreprocessSpec(version=9))
    with pytest.raises(ModelError, match="update frostpick"):
        full_constants(PreprocessSpec(name="affine"))
