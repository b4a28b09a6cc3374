"""What lies beyond the border of an image that is scored: no structure is made there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frostpick.models.shipped import load_model
from frostpick.picking.calibration import calibrated, floor_logit
from frostpick.picking.dense import score_map
from frostpick.picking.selector import Selector
from frostpick.picking.surroundings import SHARE, continued, mirror_pad
from frostpick.preprocess import WorkingImage
from frostpick.sampling import Sampling


def noise(seed: int, shape: tuple[int, int] = (224, 240)) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(values)


@pytest.mark.parametrize("shape", [(224, 240), (20, 33), (4, 9)])
@pytest.mark.parametrize("width", [0, 7, 39])
def test_the_image_itself_stays_and_the_same_image_goes_on_alike(shape, width):
    image = noise(1, shape)
    before = image.clone()
    large = continued(image, width)
    h, w = shape
    assert large.shape == (h + 2 * width, w + 2 * width)
    assert torch.equal(large[width : width + h, width : width + w], before)
    assert torch.equal(image, before)
    assert torch.equal(continued(image, width), large)


def test_noise_keeps_its_deviation_and_is_mirrored_in_part():
    large, doubled = continued(noise(2), 39), mirror_pad(noise(2), 39)
    beyond, reflected = large[:39], doubled[:39]
    assert float(beyond.std()) == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(beyond.ravel(), reflected.ravel())[0, 1] == pytest.approx(SHARE, abs=0.05)


def test_a_step_of_the_background_goes_on_beyond_the_border():
    image = noise(3)
    image[:, :100] -= 3.0  # carbon, cut by the upper and the lower border
    beyond = continued(image, 39)[:30]
    # twice the width from the step: the background is a mean over about one
    assert float(beyond[:, :60].mean()) == pytest.approx(-3.0, abs=0.15)
    assert float(beyond[:, -100:].mean()) == pytest.approx(0.0, abs=0.15)


def candidates(name: str, images: list[torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Return distances to the border in pixels and scores, of all images."""
    model = load_model(name)
    card, network = model.card, model.network.eval()
    away, score = [], []
    for image in images:
        shape = (image.shape[0], image.shape[1])
        working = WorkingImage(image, Sampling.identity(shape, 5.0))
        peaks = Selector.of(card).peaks(
            score_map(network, working),
            diameter_px=32.0,
            min_distance_px=32.0 * card.min_distance,
            floor_logit=floor_logit(card.calibration),
            max_peaks=10_000,
        )
        y, x = peaks.y_px, peaks.x_px
        away.append(np.minimum.reduce([y, x, shape[0] - 1 - y, shape[1] - 1 - x]))
        score.append(calibrated(peaks.logit, card.calibration))
    return np.concatenate(away), np.concatenate(score)


def test_noise_makes_no_more_candidates_at_the_border_than_a_few():
    """With a mirror image at the border it is ten on the outermost four pixels."""
    away, score = candidates("general", [noise(seed) for seed in range(20, 32)])
    assert np.count_nonzero((away < 4) & (score > -2.0)) <= 5
    assert np.count_nonzero((away < 16) & (score > 0.0)) <= 1


def test_places_farther_than_half_a_field_keep_their_logits_to_the_byte(monkeypatch):
    network = load_model("general").network.eval()
    working = WorkingImage(noise(5), Sampling.identity((224, 240), 5.0))
    now = score_map(network, working).logits
    monkeypatch.setattr("frostpick.picking.dense.continued", mirror_pad)
    mirrored = score_map(network, working).logits
    reach = -(-(network.receptive_field // 2) // network.stride)
    inside = (slice(reach, -reach), slice(reach, -reach))
    assert torch.equal(now[inside], mirrored[inside])
    assert not torch.equal(now, mirrored)
