"""Bad ice, foils and movement: that they are drawn where the mask says, and as physics has it."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.simulate import MASK_LABELS
from frostpick.simulate.camera.conditions import _astigmatism, random_conditions
from frostpick.simulate.camera.ctf import Ctf, filtered, frequencies_per_A
from frostpick.simulate.camera.motion import Motion, random_motion
from frostpick.simulate.corpus import corpus_micrograph
from frostpick.simulate.ice import foils
from frostpick.simulate.ice import random_ice as ice
from frostpick.simulate.ice.contamination import _drop, draw_drops, draw_leopard_skin, draw_steps
from frostpick.simulate.ice.fields import doubled
from frostpick.simulate.ice.films import _mottled, draw_crystalline_ice, draw_plates, lattice
from frostpick.simulate.ice.foils import _foil, draw_beam_edge, draw_support
from frostpick.simulate.ice.layers import Layers
from frostpick.simulate.ice.mosaic import Mosaic, random_mosaic

ICE, CARBON = MASK_LABELS["ice_crystal"], MASK_LABELS["carbon"]
PROTEIN = ("particle", "fragment", "aggregate", "free_micelle")


def canvas(seed: int):
    rng = np.random.default_rng([seed, 77])
    conditions = random_conditions(rng)
    return rng, Layers.empty(conditions.canvas), conditions


def test_doubled_by_hand():
    half = np.array([[0, 2, 4], [4, 6, 8]], np.float32)
    expected = [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]
    np.testing.assert_array_equal(doubled(half, (3, 4)), expected)


@pytest.mark.parametrize("grain", [14.0, 60.0])
def test_a_mosaic_has_grains_of_the_size_and_borders_between_them(grain):
    mosaic = random_mosaic(np.random.default_rng(3), (400, 440), grain)
    grains = len(np.unique(mosaic.label))
    # some are swallowed by their neighbours
    assert 0.35 < grains / (400 * 440 / grain**2) < 1.4
    across = mosaic.label[:, 1:] != mosaic.label[:, :-1]
    assert np.median(mosaic.border[:, 1:][across]) < 1.5
    assert mosaic.border.min() >= 0 and np.quantile(mosaic.border, 0.9) > 0.2 * grain
    values = np.random.default_rng(0).normal(size=mosaic.count)
    image = mosaic.values(values)
    assert image.shape == (400, 440)
    np.testing.assert_allclose(image[::2, ::2], values[mosaic.label[:200, :220]], rtol=1e-5)


def test_waves_have_the_period_and_direction_of_their_grain():
    label = np.zeros((129, 129), np.int64)
    label[:, 65:] = 1
    mosaic = Mosaic(label, np.zeros((129, 129), np.float32), 2, (256, 256))
    waves = mosaic.waves(np.array([0.0, np.pi / 2]), np.array([8.0, 16.0]), 0.0)
    for part, (row, column) in ((waves[:, :128], (0, 16)), (waves[:, 130:], (16, 0))):
        power = np.abs(np.fft.rfft2(part))
        found = np.unravel_index(power[:128].argmax(), power[:128].shape)
        assert found == (row, column)


def test_a_lattice_of_three_waves_has_six_spots_at_its_period():
    image = lattice(np.random.default_rng(1), (256, 256), 8.0, 3)
    assert image.var() == pytest.approx(1, rel=0.1)
    power = np.abs(np.fft.fft2(image)) ** 2
    k = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    near = np.abs(k - 1 / 8) < 0.02
    assert power[near].sum() > 0.8 * power.sum()


@pytest.mark.parametrize(
    ("kind", "variance"), [("drift", 1 / 12), ("jump", 1 / 4), ("shake", 1 / 16)]
)
def test_a_movement_spreads_a_point_along_its_way_and_leaves_it_in_place(kind, variance):
    y, x = np.mgrid[:96, :120].astype(np.float32)
    blob = np.exp(-0.5 * ((x - 60) ** 2 + (y - 40) ** 2) / 2.0**2)
    moved = Motion(kind, (9.6, 7.2)).smear(blob.astype(np.float32))
    weight = moved / moved.sum()
    assert moved.sum() == pytest.approx(blob.sum(), rel=1e-4)
    dx, dy = x - (weight * x).sum(), y - (weight * y).sum()
    assert (weight * x).sum() == pytest.approx(60, abs=0.01)
    assert (weight * y).sum() == pytest.approx(40, abs=0.01)
    along, across = 0.8 * dx + 0.6 * dy, 0.6 * dx - 0.8 * dy
    assert (weight * along**2).sum() == pytest.approx(4 + variance * 12**2, rel=0.02)
    assert (weight * across**2).sum() == pytest.approx(4, rel=0.02)


def test_an_uneven_movement_leaves_the_far_side_as_it_was():
    image = np.random.default_rng(0).normal(size=(64, 80)).astype(np.float32)
    moved = Motion("drift", (8.0, 0.0), (0.5, 0.5, 0.0)).smear(image)
    np.testing.assert_allclose(moved[:, :20], image[:, :20], atol=1e-5)
    assert moved[:, 60:].std() < 0.6 * image[:, 60:].std()


def test_few_micrographs_have_moved():
    rng = np.random.default_rng(0)
    found = [m for m in (random_motion(rng, 30.0) for _ in range(2000)) if m]
    assert 0.04 < len(found) / 2000 < 0.08
    lengths = [np.hypot(*m.way_px) / 30.0 for m in found]
    assert min(lengths) >= 0.06 and max(lengths) <= 0.4
    assert {m.kind for m in found} == {"drift", "jump", "shake"}


def test_a_drop_is_dark_with_a_bright_rim():
    """A phase object out of focus has a bright Fresnel fringe just outside of its edge."""
    layers = Layers.empty((200, 200))
    rng = np.random.default_rng(4)
    _drop(rng, layers, (100.0, 100.0), 30.0, "flat", 0.0, 0.0, 5.0)
    ctf = Ctf(15000.0, b_factor_A2=100.0)
    seen = filtered(layers.phase, ctf(frequencies_per_A((200, 200), 5.0)))
    covered = layers.phase > 2.5
    assert covered.sum() == pytest.approx(np.pi * 30**2, rel=0.35)  # up to 1.25 times as long
    np.testing.assert_array_equal(covered, layers.mask == ICE)
    y, x = np.mgrid[:200, :200]
    far = np.hypot(x - 100, y - 100) > 60
    rim = ~covered & ~far & (np.hypot(x - 100, y - 100) < 45)
    assert seen[covered].mean() < seen[far].mean() - 0.2
    assert np.quantile(seen[rim], 0.98) > seen[far].mean() + 0.5
    assert [d[:3] for d in layers.decoys] == [(100.0, 100.0, "ice_crystal")]


@pytest.mark.parametrize("draw", [draw_crystalline_ice, draw_leopard_skin, draw_plates, draw_drops])
def test_bad_ice_is_in_the_mask_where_it_is_seen(draw):
    for seed in range(8):
        rng, layers, conditions = canvas(seed)
        draw(rng, layers, conditions)
        assert set(np.unique(layers.mask)) <= {0, ICE}
        assert np.isfinite(layers.absorbed).all() and np.isfinite(layers.phase).all()
        changed = np.abs(layers.absorbed) + np.abs(layers.phase)
        marked = layers.mask == ICE
        if not marked.any():
            continue
        assert changed[marked].mean() > 3 * changed[~marked].mean() if (~marked).any() else True
        assert 0 < len(layers.decoys) <= 60 and {d.kind for d in layers.decoys} == {"ice_crystal"}
        ny, nx = layers.mask.shape
        inside = [
            marked[round(y), round(x)]
            for x, y, *_ in layers.decoys
            if 0 <= round(x) < nx and 0 <= round(y) < ny
        ]
        assert np.mean(inside) > 0.8


def test_mottled_ice_has_the_spectrum_of_real_crystalline_ice():
    """Power at .35 to .7 cycles a diameter over that at 2.8 to 5, within a factor of 4.

    Two real pictures of crystalline ice have 53 and 57 at a diameter of 120 A.
    """
    ratios = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        seen, grain = _mottled(rng, (480, 480), 32.0)
        image = (
            (seen + rng.standard_normal(seen.shape)) * np.hanning(480) * np.hanning(480)[:, None]
        )
        power = np.abs(np.fft.fft2(image - image.mean())) ** 2
        k = 32 * np.hypot(np.fft.fftfreq(480)[:, None], np.fft.fftfreq(480)[None])
        ratios.append(power[(k > 0.35) & (k < 0.7)].mean() / power[(k > 2.8) & (k < 5.0)].mean())
        assert grain.shape == seen.shape
    assert 55 / 4 < np.median(ratios) < 55 * 4


def test_particles_stay_off_crystalline_ice(monkeypatch):
    monkeypatch.setattr(ice, "_KINDS", ((1.0, draw_crystalline_ice),))
    bare = 0
    for index in range(8):
        m = corpus_micrograph(13, index)
        t = m.truth.particles
        assert not m.mask[np.round(t.y_px).astype(int), np.round(t.x_px).astype(int)].any()
        if (m.mask == ICE).mean() > 0.95:
            bare += 1
            assert len(t) == 0
        assert (m.truth.kind == "ice_crystal").any() or not (m.mask == ICE).any()
    assert bare >= 1


def test_a_hole_without_ice_is_white_noise_and_nothing_of_protein(monkeypatch):
    monkeypatch.setattr(foils, "_NO_ICE", 1.0)
    monkeypatch.setattr(foils, "_EDGES", 0.0)
    monkeypatch.setattr(foils, "_COVERED", 0.0)
    flat = 0
    for index in range(12):
        m = corpus_micrograph(14, index)
        assert not np.isin(m.truth.kind, PROTEIN).any()
        d = m.diameter_A / m.pixel_size_A
        side = min(m.image.shape)
        part = m.image[:side, :side] * np.hanning(side) * np.hanning(side)[:, None]
        k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]) * d
        power = np.abs(np.fft.fft2(part - part.mean())) ** 2
        bands = [power[(k > a) & (k < b)].mean() for a, b in ((1.4, 2.8), (2.8, 5.0))]
        flat += bands[0] / bands[1] < 1.15
    # the others have a film of carbon left, or were smoothed
    assert flat >= 6


def test_the_depth_of_a_foil_is_a_distance():
    shares = []
    for seed in range(60):
        depth = _foil(np.random.default_rng(seed), (300, 340), 20.0)
        slope = np.hypot(*np.gradient(depth))
        assert 0.8 < np.median(slope) < 1.4  # 1, and what roughness adds
        shares.append((depth > 0).mean())
    assert 0.1 < np.median(shares) < 0.6 and max(shares) < 0.95


@pytest.mark.parametrize("draw", [draw_support, draw_steps])
def test_what_carries_particles_is_not_masked(draw):
    drawn = 0
    for seed in range(30):
        rng, layers, conditions = canvas(seed)
        draw(rng, layers, conditions)
        drawn += bool(layers.absorbed.any() or layers.phase.any() or layers.texture.any())
        assert not layers.mask.any() and not layers.decoys
    assert drawn >= 1


def test_the_edge_of_the_beam_is_dark_and_not_to_be_picked():
    found = 0
    for seed in range(300):
        rng, layers, conditions = canvas(seed)
        draw_beam_edge(rng, layers, conditions)
        if not layers.mask.any():
            continue
        found += 1
        dark = layers.mask == CARBON
        assert layers.absorbed[dark].mean() < -1.5 < layers.absorbed[~dark].mean()
    assert 1 <= found <= 15


def test_kinds_of_ice_come_at_their_rates(monkeypatch):
    seen = []

    def noted(name):
        return lambda rng, layers, conditions: seen.append(name)

    kinds = tuple((share, noted(draw.__name__)) for share, draw in ice._KINDS)
    monkeypatch.setattr(ice, "_KINDS", kinds)
    for name in ("draw_support", "draw_specks", "draw_crystals", "draw_beam_edge"):
        monkeypatch.setattr(ice, name, lambda *_: None)
    monkeypatch.setattr(ice, "draw_thick_ice", lambda *_, often: None)
    rng, layers, conditions = canvas(0)
    for _ in range(4000):
        ice.draw_ice(rng, layers, conditions)
    for name, least, most in (
        ("draw_crystalline_ice", 0.04, 0.07),
        ("draw_leopard_skin", 0.012, 0.03),
        ("draw_plates", 0.02, 0.04),
        ("draw_drops", 0.055, 0.085),
        ("draw_steps", 0.02, 0.04),
    ):
        assert least < seen.count(name) / 4000 < most, name
    seen.clear()
    for _ in range(1000):
        ice.draw_ice(rng, layers, conditions, often=3.0)
    assert 0.17 < seen.count("draw_drops") / 1000 < 0.25


def test_strong_astigmatism_is_rare():
    rng = np.random.default_rng(0)
    drawn = np.array([_astigmatism(rng) for _ in range(3000)])
    assert 0.02 < (drawn > 0.12).mean() < 0.04 and drawn.max() <= 0.35
    assert np.median(drawn) < 0.03


def test_some_micrographs_are_as_white_as_real_vitreous_ice():
    """Of six real ones five have less than twice the power below .7 cycles that they have at 3."""
    drawn = [random_conditions(np.random.default_rng(seed)) for seed in range(600)]
    flat = [c for c in drawn if c.red_power <= 0.1 and c.ripple <= 0.1]
    assert 0.24 < len(flat) / 600 < 0.40
    assert 0.06 < np.mean([c.red_power == 0 for c in drawn]) < 0.13
    red = np.array([c.red_power for c in drawn])
    assert red.max() > 2 and np.median(red) > 0.1
