import math

import numpy as np
import pytest
import torch

from frostpick.preprocess.rescale import Period, choose_period, rescale, short_periods

pytestmark = pytest.mark.quick


def blob(shape, centre, sigma):
    y, x = np.ogrid[: shape[0], : shape[1]]
    r2 = (y - centre[0]) ** 2 / sigma[0] ** 2 + (x - centre[1]) ** 2 / sigma[1] ** 2
    return np.exp(-0.5 * r2).astype(np.float32)


def centroid(image):
    image = np.asarray(image, np.float64)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(image * y).sum(), (image * x).sum()]) / image.sum()


@pytest.mark.parametrize("factor", [0.4, 0.73, 1.0, 1.7, 4.0, 7.3])
@pytest.mark.parametrize("ny", [300, 301])
@pytest.mark.parametrize("nx", [280, 281])
def test_a_blob_keeps_its_place_for_every_parity(factor, ny, nx):
    centre = np.array([120.3, 170.8])
    # Narrow enough to be nil at the borders, wide enough to have no frequencies to lose.
    sigma = (2.0 * max(factor, 1.0), 2.6 * max(factor, 1.0))
    image, sampling = rescale(blob((ny, nx), centre, sigma), factor, 1.5)
    found = centroid(image)
    expected = centre / np.array(sampling.step_yx)
    assert np.abs(found - expected).max() < 0.02
    assert np.abs(sampling.to_parent(found) - centre).max() < 0.02 * max(factor, 1.0)


@pytest.mark.parametrize("factor", [0.4, 0.61, 1.0, 2.42, 5.6, 13.0, 40.0])
@pytest.mark.parametrize("shape", [(512, 700), (1201, 1240), (4096, 4095)])
def test_sampling_is_even_origin_preserving_and_within_a_percent(factor, shape):
    for n in shape:
        period = choose_period(n, factor)
        assert period.long % 2 == period.short % 2 == period.samples % 2 == 0
        assert abs(period.step / factor - 1) < 0.01
        last = (period.samples - 1) * period.step
        assert n - 1 - period.step < last <= n - 1 + period.step
        assert period.samples <= period.short
        assert period.long - n >= 16


def test_the_sampling_carries_each_axis_of_its_own():
    image = np.random.default_rng(0).normal(size=(401, 222)).astype(np.float32)
    out, sampling = rescale(image, 3.3, 1.2)
    assert tuple(out.shape) == sampling.shape
    assert sampling.origin_yx == (0.0, 0.0)
    for step, pixel in zip(sampling.step_yx, sampling.pixel_A_yx, strict=True):
        assert pixel == pytest.approx(1.2 * step)


def waves(shape, ny, nx):
    """A periodic image with frequencies up to 9 per side, sampled on any grid."""
    rng = np.random.default_rng(3)
    y = np.arange(shape[0])[:, None] / shape[0]
    x = np.arange(shape[1])[None, :] / shape[1]
    image = np.full(shape, 0.7)
    for _ in range(12):
        ky, kx = rng.integers(-ny, ny + 1), rng.integers(-nx, nx + 1)
        image += rng.normal() * np.cos(2 * np.pi * (ky * y + kx * x) + rng.uniform(0, 6))
    return image


def fourier_resample(image, shape):
    """The periodic core alone: no gap is closed."""
    rows, columns = (Period(n, n, m) for n, m in zip(image.shape, shape, strict=True))
    kept = min(columns.long, columns.short) // 2
    return short_periods(torch.fft.rfft(image, dim=1)[:, : kept + 1].contiguous(), rows, columns)


@pytest.mark.parametrize(
    "before,after", [((64, 60), (40, 30)), ((40, 30), (64, 60)), ((64, 30), (20, 72))]
)
def test_band_limited_images_are_resampled_exactly(before, after):
    out = fourier_resample(torch.from_numpy(waves(before, 9, 9)), after)
    assert np.abs(out.numpy() - waves(after, 9, 9)).max() < 1e-12


def test_mean_and_energy_of_a_band_limited_image_are_kept():
    image = torch.from_numpy(waves((64, 60), 9, 9))
    out = fourier_resample(image, (40, 32))
    assert float(out.mean()) == pytest.approx(float(image.mean()), abs=1e-12)
    assert float((out**2).mean()) == pytest.approx(float((image**2).mean()), rel=1e-12)


def test_nyquist_is_dropped_when_cropping_and_shared_when_padding():
    ripple = torch.tensor([1.0, -1.0]).repeat(16)[:, None].expand(32, 32).contiguous()
    assert float(fourier_resample(ripple, (16, 16)).abs().max()) < 1e-5
    wave = torch.cos(torch.arange(64) * math.pi / 2)[:, None].expand(64, 32).contiguous()
    assert float(fourier_resample(wave, (32, 32)).abs().max()) < 1e-5
    assert torch.allclose(
        fourier_resample(ripple, (64, 32)),
        torch.cos(torch.arange(64) * math.pi / 2)[:, None],
        atol=1e-5,
    )


def test_a_ramp_does_not_ring_at_the_edges():
    """Against the same ramp on the coarse grid; without closing the period the error is ~4."""
    y = np.arange(600, dtype=np.float32)[:, None] * np.ones((1, 500), np.float32)
    out, sampling = rescale(y, 4.0, 1.0)
    expected = np.arange(out.shape[0]) * sampling.step_yx[0]
    inside = expected <= 599
    error = np.abs(out.numpy()[inside] - expected[inside, None])
    assert error[3:-3].max() < 0.5
    assert error.max() < 6.0


def test_bounds_cut_before_rescaling():
    image = np.zeros((200, 200), np.float32)
    image[100, 100] = 1e6
    out, _ = rescale(image, 2.0, 1.0, bounds=(-1.0, 1.0))
    assert float(out.abs().max()) < 1.0
    assert image[100, 100] == 1e6


def test_a_high_level_costs_no_digits():
    noise = np.random.default_rng(1).normal(size=(256, 256)).astype(np.float32)
    low, _ = rescale(noise, 2.0, 1.0)
    high, _ = rescale(noise + np.float32(3000), 2.0, 1.0)
    assert float((high - 3000 - low).abs().max()) < 2e-3
