"""Pairs of half doses, the networks that denoise, classical filters and the looks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from made_images import draw_soft_discs, draw_spots
from safetensors import safe_open

from frostpick.errors import ConfigError, JobStopped
from frostpick.pretraining.picker.denoiser import Denoiser, UNet, load_denoiser, standardise
from frostpick.pretraining.picker.filters import (
    binned,
    binned_sampling,
    critical_exposure,
    dose_weight,
    eight_bit,
    filtered,
    gaussian_low_pass,
    radial_power,
    sharp_low_pass,
    wiener,
)
from frostpick.pretraining.picker.looks import LEAST_DIAMETER_PX, SHARES, apply_look
from frostpick.pretraining.picker.train_denoiser import DenoiserRecipe, make_denoisers
from frostpick.runtime.reporter import SilentReporter
from frostpick.simulate.camera.conditions import random_conditions
from frostpick.simulate.corpus import corpus_micrograph, corpus_pair

SMALL = DenoiserRecipe("small", 1, pairs=16, pieces=4, steps=250, tiles=4, tile=64, rate=6e-3)


def _conditions(seed: int, index: int):
    return random_conditions(np.random.default_rng([seed, index, 4]))


def _plain(seed: int):
    """Return the numbers of micrographs whose recording leaves the noise as it is."""
    for index in range(200):
        c = _conditions(seed, index)
        if not (c.shot or c.blur or c.hot_pixels or c.grey_levels):
            yield index, c


def test_the_mean_of_a_pair_is_the_micrograph():
    for index, _ in [*_plain(3)][:3]:
        whole = corpus_micrograph(3, index)
        even, odd = corpus_pair(3, index)
        np.testing.assert_allclose((even.image + odd.image) / 2, whole.image, atol=2e-5)
        for half in (even, odd):
            np.testing.assert_array_equal(half.truth.x_px, whole.truth.x_px)
            np.testing.assert_array_equal(half.mask, whole.mask)


def test_the_halves_differ_by_white_noise_of_the_variance_of_half_a_dose():
    for index, conditions in [*_plain(3)][:3]:
        even, odd = corpus_pair(3, index)
        difference = even.image - odd.image
        # the noise of the whole dose has the variance 1 - structural; each half twice that, and
        # the difference of two independent ones twice that again
        assert difference.var() == pytest.approx(4 * (1 - conditions.structural), rel=0.02)
        k, power = radial_power(difference)
        # white: as strong at low frequencies as at high ones
        assert power[(k > 0.02) & (k < 0.1)].mean() == pytest.approx(power[k > 0.4].mean(), rel=0.1)


def test_the_noise_of_the_halves_is_independent_and_the_scene_is_not():
    """Their covariance is the variance of the micrograph less that of its counting noise."""
    for index, conditions in [*_plain(3)][:3]:
        whole, pair = corpus_micrograph(3, index).image, corpus_pair(3, index)
        even, odd = (half.image - half.image.mean() for half in pair)
        scene = whole.var(dtype=np.float64) - (1 - conditions.structural)
        assert np.mean(even * odd, dtype=np.float64) == pytest.approx(scene, abs=0.03)
        # by frequency: slow waves are of the scene and agree, quick ones are mostly noise
        k, one = radial_power(even)
        two, mean = radial_power(odd)[1], radial_power((even + odd) / 2)[1]
        agreement = (4 * mean - one - two) / (2 * np.sqrt(one * two))
        assert agreement[k < 0.02].mean() > agreement[k > 0.45].mean() + 0.2
        # what the scene has at high frequencies is no more than the structural noise
        ratio = conditions.structural / (2 - conditions.structural)
        assert agreement[k > 0.45].mean() < ratio + 0.1


def test_hot_pixels_are_in_both_halves_and_grey_levels_in_none():
    hot = next(i for i in range(200) if _conditions(3, i).hot_pixels)
    even, odd = corpus_pair(3, hot)
    bright = (even.image > np.median(even.image) + 12) & (odd.image > np.median(odd.image) + 12)
    assert bright.any()
    grey = next(i for i in range(200) if _conditions(3, i).grey_levels)
    assert len(np.unique(corpus_micrograph(3, grey).image)) <= 256
    assert len(np.unique(corpus_pair(3, grey)[0].image)) > 10_000


def _scene(rng, shape=(260, 300)):
    """Return an image of dark discs, of no corpus, and its noisy version (noise 1)."""
    clean = np.full(shape, 40.0) - 0.004 * np.arange(shape[1])
    centres = rng.uniform(20, (shape[0] - 20, shape[1] - 20), (25, 2))
    draw_soft_discs(clean, centres[:, ::-1], 0.7, 11, 1)
    clean = clean.astype(np.float32)
    return clean, clean + rng.standard_normal(shape, dtype=np.float32)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("denoisers")
    return folder, make_denoisers(folder, SilentReporter(), [SMALL])[0]


def test_a_network_that_knows_nothing_gives_the_smooth_level():
    image = _scene(np.random.default_rng(0))[1]
    out = Denoiser(UNet(4), 1)(image)
    standard = standardise(torch.from_numpy(image))
    np.testing.assert_allclose(out, standard.level.numpy(), rtol=1e-6)
    # noise of 1 with discs that cover a seventh of it
    assert 0.95 < standard.deviation < 1.15


def test_a_denoiser_lowers_the_error_on_material_it_has_not_seen(small):
    denoiser = small[1]
    for seed in range(3):
        clean, noisy = _scene(np.random.default_rng(seed))
        error = float(np.mean((denoiser(noisy) - clean) ** 2))
        # the noise had the variance 1; all of the discs together have about 0.06
        assert error < min(0.04, 0.7 * clean.var())


def test_a_denoiser_knows_no_grey_scale(small):
    denoiser = small[1]
    noisy = _scene(np.random.default_rng(5))[1]
    out = denoiser(noisy)
    other = denoiser(200 * noisy - 3000)
    assert np.abs(other - (200 * out - 3000)).max() < 200 * 0.05
    assert out.dtype == np.float32 and out.shape == noisy.shape


class _Same(UNet):
    """Takes everything for the scene."""

    def forward(self, x):
        return x


def _spots(shape, rng):
    clean = np.zeros(shape)
    centres = rng.uniform(20, (shape[0] - 20, shape[1] - 20), (12, 2))
    draw_spots(clean, centres[:, ::-1], 1.5, 6.0)
    return clean


def _shift(image, clean):
    """Return where the correlation with the clean image peaks, rows and columns."""
    spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(clean - clean.mean()))
    near = np.fft.irfft2(spectrum, s=clean.shape)
    lines = np.array([near[[-1, 0, 1], 0], near[0, [-1, 0, 1]]])
    low, top, high = lines.T
    return 0.5 * (low - high) / (low - 2 * top + high)


@pytest.mark.parametrize("step", [1, 2])
def test_positions_stay_where_they_are(small, step):
    """Dark spots of an odd, oblong image, through the binning and the padding of a denoiser."""
    shape = (203, 251)
    rng = np.random.default_rng(0)
    image = (_spots(shape, rng) + 0.3 * rng.standard_normal(shape)).astype(np.float32)
    plain = Denoiser(_Same(), step)(image)
    assert np.abs(_shift(plain, image)).max() < 0.01
    # bfloat16 keeps 8 bits of a deviation
    assert step == 2 or np.abs(plain - image).max() < 0.03
    # a network that saw few tiles is not quite even-handed; half a pixel off would be an error
    shifts = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        clean = _spots(shape, rng)
        noisy = (clean + 0.5 * rng.standard_normal(shape)).astype(np.float32)
        shifts.append(_shift(Denoiser(small[1].network, step)(noisy), clean))
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.3 * step


def test_the_same_recipe_gives_the_same_weights(small, tmp_path):
    short = DenoiserRecipe("short", 2, pairs=2, pieces=2, steps=4, tiles=2, tile=32)
    one, two = (make_denoisers(tmp_path / n, SilentReporter(), [short])[0] for n in "ab")
    for a, b in zip(one.network.parameters(), two.network.parameters(), strict=True):
        assert torch.equal(a, b)
    other = Denoiser(UNet(12), 2)
    assert not torch.equal(other.network.fine[0].weight, one.network.fine[0].weight)


def test_what_is_made_is_read_and_not_made_again(small):
    folder, denoiser = small
    stopped = SilentReporter()
    stopped.stop_requested = True  # anything that is trained would stop
    again = make_denoisers(folder, stopped, [SMALL])[0]
    noisy = _scene(np.random.default_rng(9))[1]
    np.testing.assert_array_equal(again(noisy), denoiser(noisy))


def test_a_stop_leaves_no_half_denoiser(tmp_path):
    stopped = SilentReporter()
    stopped.stop_requested = True
    with pytest.raises(JobStopped):
        make_denoisers(tmp_path, stopped, [SMALL])
    assert not list(tmp_path.iterdir())


def test_a_stopped_denoiser_goes_on_to_the_same_weights(tmp_path):
    class StopAt(SilentReporter):
        def stage(self, name, total):
            self.left = 3 if name == "training denoiser short" else total

        def check(self):
            self.left -= 1
            if self.left < 0:
                raise JobStopped("stopped")

    short = DenoiserRecipe("short", 2, pairs=2, pieces=2, steps=7, tiles=2, tile=32)
    whole = make_denoisers(tmp_path / "whole", SilentReporter(), [short])[0]
    for done in (3, 6):
        with pytest.raises(JobStopped):
            make_denoisers(tmp_path / "parts", StopAt(), [short])
        (state,) = (tmp_path / "parts").rglob("*.safetensors")
        with safe_open(state, framework="pt") as found:
            assert json.loads(found.metadata()["progress"])["done"] == done
    parts = make_denoisers(tmp_path / "parts", SilentReporter(), [short])[0]
    ours, theirs = parts.network.state_dict(), whole.network.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    told = []
    for name in ("whole", "parts"):
        assert [p.name for p in (tmp_path / name).iterdir()] == ["short.safetensors"]
        with safe_open(tmp_path / name / "short.safetensors", framework="pt") as found:
            told.append(json.loads(found.metadata()["told"])["losses"])
    assert told[0] == told[1]


def test_other_files_are_refused(small, tmp_path):
    with pytest.raises(ConfigError, match="another recipe"):
        load_denoiser(small[0] / "small.safetensors", "0" * 64)
    with pytest.raises(ConfigError, match="no denoiser"):
        load_denoiser(tmp_path / "nothing.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"0" * 200)
    with pytest.raises(ConfigError, match="no denoiser"):
        load_denoiser(damaged)


def test_images_too_small_to_denoise_are_named():
    with pytest.raises(ValueError, match="40 x 90 pixels, expected at least 64"):
        Denoiser(UNet(4), 2)(np.zeros((40, 90), np.float32))


def _wave(shape, cycles_y, cycles_x):
    """Return a product of cosines that meets its mirror image at the border."""
    y, x = (np.arange(n) + 0.5 for n in shape)
    wave = np.cos(2 * np.pi * cycles_y * y)[:, None] * np.cos(2 * np.pi * cycles_x * x)
    return wave.astype(np.float32)


def test_filters_by_hand():
    shape = (200, 300)
    slow, quick = _wave(shape, 0.03, 0.04), _wave(shape, 0.12, 0.16)  # 0.05 and 0.2 cycles a pixel
    both = slow + quick
    np.testing.assert_allclose(sharp_low_pass(both, 8.0), slow, atol=1e-5)
    np.testing.assert_allclose(gaussian_low_pass(quick, 5.0), quick / 2, atol=1e-5)
    np.testing.assert_allclose(gaussian_low_pass(slow, 5.0), slow * 0.5 ** (1 / 16), atol=1e-5)
    np.testing.assert_allclose(filtered(both, np.ones_like), both, atol=1e-5)


def test_white_noise_has_the_power_of_its_variance():
    k, power = radial_power(np.random.default_rng(0).normal(5, 3, (300, 220)).astype(np.float32))
    assert (np.abs(power[k > 0.05] / 9 - 1) < 0.3).all()
    assert power[k > 0.05].mean() == pytest.approx(9, rel=0.02)


def test_wiener_keeps_what_stands_above_the_noise():
    rng = np.random.default_rng(1)
    clean = 12 * gaussian_low_pass(rng.standard_normal((300, 340), dtype=np.float32), 20.0)
    noisy = clean + rng.standard_normal(clean.shape, dtype=np.float32)
    out = wiener(noisy)
    assert np.mean((out - clean) ** 2) < 0.1 and np.corrcoef(out.ravel(), clean.ravel())[0, 1] > 0.9


def test_dose_weights_by_hand():
    # 0.05 per A: 0.05^-1.665 = e^(1.665 * 2.99573) = e^4.98789 = 146.63; * 0.245 + 2.81 = 38.73
    assert critical_exposure(np.array([0.05]))[0] == pytest.approx(38.73, abs=0.01)
    # 50 / 38.73 = 1.2910; (1 - e^-1.2910) / 1.2910 = 0.72500 / 1.2910 = 0.5616; its root 0.7494
    weight = dose_weight(np.array([0.05, 0.1, 0.25]), 50.0)
    assert weight[0] == pytest.approx(0.7494, abs=0.0005)
    # the sum of many thin frames, each with noise of its own, added up
    k, frames = np.array([0.05, 0.1, 0.25]), 5000
    exposures = (np.arange(frames) + 0.5) * 50.0 / frames
    q = np.exp(-exposures[:, None] / (2 * critical_exposure(k)))
    np.testing.assert_allclose(weight, np.sqrt((q**2).mean(0)), rtol=1e-4)


def test_eight_bit_by_hand():
    image = np.array([[-3.0, 0.0, 0.5, 1.0, 9.0]], np.float32)
    np.testing.assert_array_equal(eight_bit(image, 0.0, 1.0), [[0, 0, 128, 255, 255]])


def test_a_known_place_under_binning():
    image = np.zeros((41, 63), np.float32)
    image[11, 38] = 8.0  # row 11 lies in mean 5 (10, 11), column 38 in mean 19 (38, 39)
    half = binned(image, 2)
    assert half.shape == (20, 31) and half[5, 19] == 2.0 and half.sum() == 2.0
    sampling = binned_sampling(image.shape, 3.0, 2)
    assert sampling.shape == half.shape and sampling.pixel_A_yx == (6.0, 6.0)
    # the centres of the two rows of mean 5 are 10 and 11: mean 5 lies at 10.5
    np.testing.assert_allclose(sampling.to_parent(np.array([5.0, 19.0])), [10.5, 38.5])
    np.testing.assert_allclose(sampling.from_parent(np.array([11.0, 38.0])), [5.25, 18.75])
    # the middle of mass of an asymmetric blob goes where the sampling says
    blob = np.zeros((80, 120))
    draw_spots(blob, (22.1, 51.3), -1.0, 3.0)
    blob = blob.astype(np.float32)
    small = binned(blob, 2)
    rows, columns = np.mgrid[:40, :60]
    middle = [(axis * small).sum() / small.sum() for axis in (rows, columns)]
    expected = binned_sampling(blob.shape, 1.0, 2).from_parent(np.array([51.3, 22.1]))
    np.testing.assert_allclose(middle, expected, atol=0.01)
    np.testing.assert_array_equal(binned(image, 1), image)


@pytest.fixture(scope="module")
def looks(small):
    """Return 300 looks of one image, its numbers, and the steps."""
    image = _scene(np.random.default_rng(4), (131, 150))[1]
    return image, [
        apply_look(np.random.default_rng([1, k]), image, 5.0, 150.0, [small[1]]) for k in range(300)
    ]


def test_looks_have_their_shares_and_are_sound(looks):
    image, made = looks
    assert sum(SHARES.values()) == pytest.approx(1)
    steps = np.array([step for _, step in made])
    for look, step in made:
        assert look.dtype == np.float32 and np.isfinite(look).all() and look.std() > 0
        assert step in (1, 2) and look.shape == (131 // step, 150 // step)
    assert 0.04 < (steps == 2).mean() < 0.14  # .7 x .05 + .3 x .15 = .08
    untouched = np.mean([step == 1 and np.array_equal(look, image) for look, step in made])
    assert 0.55 < untouched < 0.71  # .7 x .95 x .98 x .94 = .613
    whole = np.mean([np.array_equal(look, np.round(look)) for look, _ in made])
    assert 0.06 < whole < 0.18  # 8 bits: .7 x .06 + .3 x .25 = .117
    assert len({look.tobytes() for look, _ in made}) > 60


def test_looks_depend_on_their_stream_alone_and_leave_the_image(looks, small):
    image, made = looks
    kept = image.copy()
    for k in (0, 17, 90, 201):
        again, step = apply_look(np.random.default_rng([1, k]), image, 5.0, 150.0, [small[1]])
        np.testing.assert_array_equal(again, made[k][0])
        assert step == made[k][1]
    np.testing.assert_array_equal(image, kept)


def test_small_particles_are_not_binned_and_no_denoiser_is_needed():
    image = _scene(np.random.default_rng(6), (100, 110))[1]
    diameter = (2 * LEAST_DIAMETER_PX - 1) * 5.0
    for k in range(120):
        look, step = apply_look(np.random.default_rng(k), image, 5.0, diameter, [])
        assert step == 1 and look.shape == image.shape and np.isfinite(look).all()
