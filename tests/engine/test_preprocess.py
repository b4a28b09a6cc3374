import numpy as np
import pytest
import torch
from made_images import draw_discs

from frostpick.errors import MicrographError
from frostpick.models.card import PreprocessSpec
from frostpick.preprocess import contrast_vote, decide_contrast, preprocess, working_scale
from frostpick.preprocess.hot_pixels import hot_pixel_bounds

pytestmark = pytest.mark.quick

SPEC = PreprocessSpec()


def micrograph(shape=(500, 480), count=20, depth=1.5, hollow=False, seed=0):
    """Noise with dark discs of 60 pixels; returns the image and the centres (y, x)."""
    rng = np.random.default_rng(seed)
    image = rng.normal(20.0, 2.0, shape)
    centres = rng.uniform(40, np.array(shape) - 40, (count, 2))
    draw_discs(image, centres[:, ::-1], 2 * depth, 30, 20 if hollow else -1)
    return image.astype(np.float32), centres


def test_scale_level_and_sampling():
    image, centres = micrograph()
    working = preprocess(image, 2.0, 120.0, SPEC)
    step = working.sampling.step_yx[0]
    assert step == pytest.approx(60 / 32, rel=0.01)
    assert working.data.dtype == torch.float32
    assert tuple(working.data.shape) == working.sampling.shape
    at = working.sampling.from_parent(centres).round().astype(int)
    assert float(working.data[at[:, 0], at[:, 1]].mean()) < -1.0


def test_every_contrast_setting_gives_dark_particles():
    image, _ = micrograph()
    dark = preprocess(image, 2.0, 120.0, SPEC).data
    for given, contrast in ((-image, "light"), (image, "auto"), (-image, "auto")):
        same = preprocess(given, 2.0, 120.0, SPEC, contrast=contrast).data
        assert torch.allclose(same, dark, atol=1e-3)


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize("count", [4, 20, 40])
def test_contrast_vote_of_both_signs(hollow, count):
    image, _ = micrograph(count=count, hollow=hollow, depth=1.0)
    scaled = working_scale(image, 2.0, 120.0).data
    assert contrast_vote(scaled, 32.0) < 0 < contrast_vote(-scaled, 32.0)


def test_the_sum_of_votes_decides():
    assert decide_contrast([-0.4, 0.1, -0.2]) == "dark"
    assert decide_contrast([0.4, 0.1, -0.2]) == "light"
    assert decide_contrast([]) == "dark"


def test_hot_pixels_are_cut_and_nothing_else_is():
    image, _ = micrograph()
    lo, hi = hot_pixel_bounds(image)
    assert lo < image.min() and hi > image.max()
    spoilt = image.copy()
    spoilt[::50, ::70] = 1e5
    spoilt[7, 9] = -1e7
    assert hot_pixel_bounds(spoilt)[1] == pytest.approx(hi, rel=0.05)
    clean = preprocess(image, 2.0, 120.0, SPEC).data
    assert float((preprocess(spoilt, 2.0, 120.0, SPEC).data - clean).abs().max()) < 5.5
    assert spoilt[7, 9] == -1e7


def test_bounds_of_few_values_are_the_range():
    image = np.zeros((64, 64), np.float32)
    image[3, 3] = 7.0
    assert hot_pixel_bounds(image) == (0.0, 7.0)


def test_same_bits_twice():
    image, _ = micrograph()
    first = preprocess(image, 2.0, 120.0, SPEC).data
    assert torch.equal(first, preprocess(image.copy(), 2.0, 120.0, SPEC).data)


def test_images_that_cannot_be_used():
    image, _ = micrograph()
    with pytest.raises(MicrographError, match=r"m1: .*constant"):
        preprocess(np.full((500, 480), 3.0, np.float32), 2.0, 120.0, SPEC, micrograph_id="m1")
    for value in (np.nan, np.inf):
        broken = image.copy()
        broken[250:300] = value
        with pytest.raises(MicrographError, match="finite"):
            preprocess(broken, 2.0, 120.0, SPEC)
    with pytest.raises(MicrographError, match=r"6\.0 pixels, expected 12\.8 to 1280"):
        preprocess(image, 2.0, 12.0, SPEC)
    with pytest.raises(MicrographError, match="expected"):
        preprocess(image, 0.001, 120.0, SPEC)
    with pytest.raises(MicrographError, match="smaller than a particle"):
        preprocess(image, 0.2, 120.0, SPEC)
