"""CTF and noise against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.simulate import Ctf
from frostpick.simulate.camera.ctf import electron_wavelength_A, filtered, frequencies_per_A
from frostpick.simulate.camera.noise import red, structural, thickness, white

pytestmark = pytest.mark.quick


def test_wavelengths_of_the_textbook():
    assert electron_wavelength_A(300) == pytest.approx(0.019687, abs=1e-6)
    assert electron_wavelength_A(200) == pytest.approx(0.025079, abs=1e-6)
    assert electron_wavelength_A(100) == pytest.approx(0.037014, abs=1e-6)


def test_ctf_by_hand():
    # lambda z k^2 = 0.019687 * 15000 * 0.0025 = 0.738277
    # Cs lambda^3 k^4 / 2 = 2.7e7 * 7.63e-6 * 6.25e-6 / 2 = 0.000644
    # -sin(pi * (0.738277 - 0.000644) + asin(0.1)) = -sin(2.31734 + 0.10017) = -0.66269
    ctf = Ctf(15000.0)
    assert float(ctf(0.05)) == pytest.approx(-0.66269, abs=3e-4)
    # with the envelope exp(-200 * 0.0025 / 4) = 0.882497
    assert float(Ctf(15000.0, b_factor_A2=200)(0.05)) == pytest.approx(-0.58482, abs=3e-4)
    assert float(ctf(0.0)) == pytest.approx(-0.1)
    assert float(Ctf(1e4, 200.0, 0.0, 0.07)(0.0)) == pytest.approx(-0.07)


def test_first_zero_without_amplitude_contrast():
    # sin vanishes at k^2 = 1 / (lambda z)
    k = 1 / np.sqrt(electron_wavelength_A(300) * 2e4)
    ctf = Ctf(2e4, spherical_aberration_mm=0.0, amplitude_contrast=0.0)
    assert float(ctf(k)) == pytest.approx(0, abs=1e-9)
    assert float(ctf(0.7 * k)) < -0.9


def test_filter_of_a_wave_is_its_transfer():
    x = np.arange(60)
    image = np.broadcast_to(np.cos(2 * np.pi * 5 * x / 60), (48, 60)).astype(np.float32)
    ctf = Ctf(12000.0)
    expected = float(ctf(5 / (60 * 4.0))) * image
    result = filtered(image, ctf(frequencies_per_A((48, 60), 4.0)))
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert result.dtype == np.float32


def band_power(image, pixel, low, high):
    power = np.abs(np.fft.rfft2(image)) ** 2 / image.size
    k = frequencies_per_A(image.shape, pixel)
    return power[(k >= low) & (k < high)].mean()


def test_noise_spectra():
    rng = np.random.default_rng(0)
    assert white(rng, (200, 200)).std() == pytest.approx(1, abs=0.02)
    noise = red(rng, (512, 512), 5.0, 160.0)
    # power 1 at one cycle a diameter, falling with the 2.4th power
    assert band_power(noise, 5.0, 0.9 / 160, 1.1 / 160) == pytest.approx(1, rel=0.2)
    assert band_power(noise, 5.0, 3.8 / 160, 4.2 / 160) == pytest.approx(4**-2.4, rel=0.1)
    ctf = Ctf(2e4, spherical_aberration_mm=0.0)
    shaped = structural(rng, (512, 512), 5.0, ctf)
    assert shaped.std() == pytest.approx(1, abs=1e-3)
    zero = np.sqrt((1 - np.arcsin(0.1) / np.pi) / (electron_wavelength_A(300) * 2e4))
    at_zero = band_power(shaped, 5.0, zero - 5e-4, zero + 5e-4)
    at_peak = band_power(shaped, 5.0, zero / np.sqrt(2) - 5e-4, zero / np.sqrt(2) + 5e-4)
    assert at_zero < 0.02 * at_peak


def test_thickness_is_smooth_and_bounded():
    field = thickness(np.random.default_rng(4), (64, 96))
    assert field.shape == (64, 96) and field.dtype == np.float32
    assert np.abs(field).max() == pytest.approx(1) and abs(field.mean()) < 1e-5
    assert np.abs(np.diff(field, axis=0)).max() < 0.1
