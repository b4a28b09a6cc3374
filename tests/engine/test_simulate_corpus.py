"""The corpus: determinism, variety, exact positions, signal, noise and masks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from frostpick.simulate import DECOYS, MASK_LABELS, Protein, add_projection
from frostpick.simulate.camera.conditions import random_conditions
from frostpick.simulate.camera.ctf import filtered, frequencies_per_A
from frostpick.simulate.corpus import (
    _gain,
    _Grid,
    _mean_power,
    _red_spectrum,
    corpus_micrograph,
)
from frostpick.simulate.crowd import CELL, place_particles
from frostpick.simulate.debris import random_debris
from frostpick.simulate.ice.fields import smooth_field
from frostpick.simulate.proteins.projection import scatter_points
from frostpick.simulate.proteins.specimen import CORPUS_FAMILIES, SHAPES, random_specimen
from frostpick.simulate.proteins.views import euler_matrix, random_angles

COUNT = 90


@pytest.fixture(scope="module")
def corpus():
    return [corpus_micrograph(12, index) for index in range(COUNT)]


def test_a_micrograph_depends_on_the_two_numbers_alone(corpus):
    again = corpus_micrograph(12, 7)
    np.testing.assert_array_equal(again.image, corpus[7].image)
    np.testing.assert_array_equal(again.mask, corpus[7].mask)
    for name in ("x_px", "y_px", "rot", "tilt", "psi", "edge", "kind"):
        np.testing.assert_array_equal(getattr(again.truth, name), getattr(corpus[7].truth, name))
    assert again.name == "corpus_12_000007"
    other = corpus_micrograph(11, 7)
    assert other.image.shape != again.image.shape or not np.array_equal(other.image, again.image)


def test_what_comes_is_varied_and_within_bounds(corpus):
    diameters = np.array([m.diameter_A / m.pixel_size_A for m in corpus])
    assert diameters.min() >= 22 - 1e-9 and diameters.max() <= 56 + 1e-9
    assert np.quantile(diameters, 0.25) < 31 and np.quantile(diameters, 0.75) > 38
    defoci = np.array([m.ctf.defocus_A for m in corpus])
    assert defoci.min() >= 5000 and defoci.max() <= 35000 and defoci.std() > 6000
    assert {m.ctf.voltage_kV for m in corpus} == {200.0, 300.0}
    clarity = np.array([m.snr for m in corpus]) * (diameters / 32) ** 2
    assert 0.07 <= clarity.min() < 0.1 and clarity.max() > 1 and 0.1 < np.median(clarity) < 0.6
    counts = np.array([len(m.truth.particles) for m in corpus])
    # 3 % by choice, 3 % all carbon, and hardly any for want of room
    assert 1 <= (counts == 0).sum() <= COUNT // 6
    assert np.quantile(counts, 0.1) < 20 and counts.max() > 250
    seen = Counter(kind for m in corpus for kind in set(m.truth.kind.tolist()))
    assert set(seen) == {"particle", *DECOYS}
    labels = Counter(label for m in corpus for label in np.unique(m.mask).tolist())
    assert set(labels) == set(MASK_LABELS.values())
    assert any((m.mask == MASK_LABELS["carbon"]).all() for m in corpus)
    # most have no carbon
    assert labels[MASK_LABELS["carbon"]] < 0.4 * COUNT


def test_images_are_sound(corpus):
    for m in corpus:
        assert m.image.dtype == np.float32 and m.mask.dtype == np.uint8
        assert m.image.shape == m.mask.shape and min(m.image.shape) > 400
        assert np.isfinite(m.image).all() and m.image.flags.c_contiguous
        assert 0.2 < m.image.std() < 20


def test_truth_lies_inside_and_particles_off_the_junk(corpus):
    for m in corpus:
        t, (ny, nx) = m.truth, m.image.shape
        radius = 0.5 * m.diameter_A / m.pixel_size_A
        assert (t.x_px >= 0).all() and (t.x_px <= nx - 1).all()
        assert (t.y_px >= 0).all() and (t.y_px <= ny - 1).all()
        crosses = (t.x_px < radius) | (t.y_px < radius)
        crosses |= (t.x_px > nx - 1 - radius) | (t.y_px > ny - 1 - radius)
        np.testing.assert_array_equal(t.edge, crosses)
        p = t.particles
        rows, columns = np.round(p.y_px).astype(int), np.round(p.x_px).astype(int)
        assert not m.mask[rows, columns].any()


@pytest.mark.parametrize(
    ("kind", "above"),
    [
        ("ice_crystal", {"carbon"}),
        ("speck", {"carbon", "ice_crystal"}),
        ("free_micelle", {"carbon", "ice_crystal", "speck"}),
    ],
)
def test_decoys_lie_in_their_mask_or_below_what_is_drawn_later(corpus, kind, above):
    own, covered = MASK_LABELS[kind], [MASK_LABELS[name] for name in above]
    hits = total = 0
    for m in corpus:
        t = m.truth.keep(m.truth.kind == kind)
        for x, y in zip(t.x_px, t.y_px, strict=True):
            near = m.mask[max(0, int(y) - 3) : int(y) + 5, max(0, int(x) - 3) : int(x) + 5]
            assert own in near or np.isin(near, covered).any(), (m.name, x, y)
            hits, total = hits + (own in near), total + 1
    assert total > 40 and hits > 0.7 * total


def test_images_show_the_particles_where_the_truth_says():
    """Drawn anew from the truth by the slower, exact projections, they fit at no shift."""
    fitted = 0
    for index in range(40):
        rng = np.random.default_rng([5, index, 4])
        conditions = random_conditions(rng)
        if conditions.snr < 0.25 or conditions.blur or conditions.hot_pixels or conditions.motion:
            continue
        specimen = random_specimen(rng, conditions.diameter_A)
        m = corpus_micrograph(5, index)
        t = m.truth.particles
        if len(t) < 15 or len(specimen.conformers) > 1:
            continue
        drawn = np.zeros_like(m.image)
        for x, y, *angles in zip(t.x_px, t.y_px, t.rot, t.tilt, t.psi, strict=True):
            matrix = euler_matrix(*angles)
            add_projection(drawn, specimen.protein, matrix, (x, y), m.pixel_size_A)
        k = frequencies_per_A(drawn.shape, m.pixel_size_A)
        # without what is wider than the particle: ice and gradients
        drawn = filtered(drawn, m.ctf(k) * (k > 1 / m.diameter_A))
        free = m.mask == 0  # what is cut out is at the mean, else it is a feature itself
        seen = (m.image - m.image[free].mean()) * free
        correlation = filtered_correlation(seen, drawn)
        top = np.unravel_index(correlation.argmax(), correlation.shape)
        assert top == (0, 0), index
        for line in (correlation[[-1, 0, 1], 0], correlation[0, [-1, 0, 1]]):
            left, middle, right = line
            assert abs(0.5 * (left - right) / (left - 2 * middle + right)) < 0.1
        fitted += 1
    assert fitted >= 5


def filtered_correlation(image, template):
    spectrum = np.fft.rfft2(image - image.mean()) * np.conj(np.fft.rfft2(template))
    return np.fft.irfft2(spectrum, s=image.shape)


def test_points_have_their_mass_centre_at_the_place_of_the_particle():
    rng = np.random.default_rng(0)
    conditions = random_conditions(rng)
    specimen = random_specimen(rng, conditions.diameter_A, "tethered")
    assert len(specimen.conformers) >= 1
    rows, columns = (n // CELL + 1 for n in conditions.canvas)
    points, centres, angles = place_particles(
        rng, specimen, conditions, np.zeros((rows, columns), bool)
    )
    assert len(centres) == len(angles) == len(points.xy_px) > 0
    for xy, weights, centre in zip(points.xy_px, points.weights, centres, strict=True):
        np.testing.assert_allclose(np.average(xy, axis=0, weights=weights), centre, atol=1e-6)


def test_nothing_is_placed_on_blocked_ground():
    rng = np.random.default_rng(1)
    conditions = random_conditions(rng)
    specimen = random_specimen(rng, conditions.diameter_A)
    blocked = np.ones([n // CELL + 1 for n in conditions.canvas], bool)
    assert len(place_particles(rng, specimen, conditions, blocked)[1]) == 0
    blocked[:, : blocked.shape[1] // 2] = False
    centres = place_particles(rng, specimen, conditions, blocked)[1]
    border = blocked.shape[1] // 2 * CELL
    assert len(centres) > 0 and centres[:, 0].max() < border - 0.3 * conditions.diameter_px + CELL


def test_scattered_points_by_hand():
    xy = np.array([[2.25, 1.5], [0.0, 0.0], [9.5, 1.0], [3.0, -0.5]])  # the last two are outside
    image = scatter_points((xy, np.array([8.0, 1.0, 5.0, 5.0])), (4, 6))
    expected = np.zeros((4, 6))
    expected[0, 0] = 1
    expected[1:3, 2] = 3.0  # 8 * 0.75 * 0.5
    expected[1:3, 3] = 1.0  # 8 * 0.25 * 0.5
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_a_lone_particle_has_the_ratio_asked_for():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        conditions = replace(random_conditions(rng), snr=0.3)
        protein = random_specimen(rng, conditions.diameter_A).protein
        gain, _ = _gain(rng, protein, conditions)
        d, pixel = conditions.diameter_px, conditions.pixel_size_A
        side = int(3 * d) + 9
        transfer = conditions.ctf(frequencies_per_A((side, side), pixel))
        y, x = np.mgrid[:side, :side]
        inside = np.hypot(x - side / 2, y - side / 2) <= d / 2
        variances = []
        for angles in random_angles(rng, 40):
            image = np.zeros((side, side), np.float32)
            add_projection(image, protein, euler_matrix(*angles), (side / 2, side / 2), pixel, gain)
            variances.append(filtered(image, transfer)[inside].var())
        # 8 orientations stand for all of them
        assert np.mean(variances) == pytest.approx(0.3, rel=0.3)


def test_noise_power_by_brute_force():
    rng = np.random.default_rng(3)
    for shape in ((64, 90), (50, 61)):
        transfer = rng.random((shape[0], shape[1] // 2 + 1)).astype(np.float32)
        impulse = np.zeros(shape, np.float32)
        impulse[0, 0] = 1
        # the variance of filtered white noise is the sum of the squared response
        symmetric = transfer.copy()
        for column in (0,) if shape[1] % 2 else (0, -1):
            flipped = np.roll(transfer[::-1, column], 1)
            symmetric[:, column] = (transfer[:, column] + flipped) / 2
        response = np.fft.irfft2(symmetric, s=shape)
        assert _mean_power(symmetric, shape) == pytest.approx((response**2).sum(), rel=1e-5)


@pytest.mark.parametrize("slope", [0.7, 1.8])
def test_red_noise_has_its_power_and_slope(slope):
    conditions = replace(
        random_conditions(np.random.default_rng(2)),
        canvas=(576, 640),
        diameter_px=30.0,
        pixel_size_A=4.0,
        red_power=0.5,
        red_slope=slope,
    )
    spectrum = _red_spectrum(np.random.default_rng(0), conditions, _Grid(conditions))
    image = np.fft.irfft2(spectrum, s=conditions.canvas)
    power = np.abs(np.fft.fft2(image)) ** 2 / image.size
    k = np.hypot(np.fft.fftfreq(576)[:, None], np.fft.fftfreq(640)[None]) * 30.0
    assert power[(k > 0.9) & (k < 1.1)].mean() == pytest.approx(0.5, rel=0.15)
    expected = 0.5 * 4.0 ** (-2 * slope)
    assert power[(k > 3.9) & (k < 4.1)].mean() == pytest.approx(expected, rel=0.15)
    # the column of kx = 0 is as strong as the others
    assert power[24:, 0][: 288 - 24].mean() == pytest.approx(power[0, 27:320].mean(), rel=0.5)


def test_smooth_fields_have_variance_one_and_their_scale():
    fields = [smooth_field(np.random.default_rng(s), (200, 260), 20.0) for s in range(20)]
    assert np.mean([f.var() for f in fields]) == pytest.approx(1, rel=0.2)
    # neighbours alike, a few scales apart not
    together = [np.corrcoef(f[:, :-1].ravel(), f[:, 1:].ravel())[0, 1] for f in fields]
    apart = [np.corrcoef(f[:, :-60].ravel(), f[:, 60:].ravel())[0, 1] for f in fields]
    assert min(together) > 0.98 and abs(np.mean(apart)) < 0.1


@pytest.mark.parametrize("family", CORPUS_FAMILIES)
def test_specimens_have_their_diameter_and_smaller_fragments(family):
    for seed in range(5):
        rng = np.random.default_rng([seed, 1])
        specimen = random_specimen(rng, 140.0, family)
        protein = specimen.protein
        assert protein.family == family and protein.diameter_A == pytest.approx(140)
        whole = protein.weights.sum()
        for conformer in specimen.conformers:
            centre = (conformer.weights[:, None] * conformer.positions_A).sum(0) / whole
            np.testing.assert_allclose(centre, 0, atol=1e-9)
        assert bool(specimen.micelles) == (family == "membrane")
        for _ in range(6):
            piece = specimen.fragment(rng)
            assert 0 < len(piece.weights) <= 0.66 * len(protein.weights)


def test_every_family_comes_up_by_itself():
    families = Counter(
        random_specimen(np.random.default_rng(seed), 120.0).protein.family for seed in range(400)
    )
    # made up, and those of real chains, which are named after their shape
    assert set(families) == set(CORPUS_FAMILIES) | set(SHAPES)
    assert max(families.values()) < 0.35 * 400


def test_tethered_particles_bend():
    specimen = next(
        s
        for seed in range(20)
        for s in [random_specimen(np.random.default_rng(seed), 120.0, "tethered")]
        if s.protein.symmetry == "C1"
    )
    assert len(specimen.conformers) == 6
    first, second = (_spread(c) for c in specimen.conformers[:2])
    assert not np.allclose(first, second, rtol=1e-3)


def _spread(protein: Protein):
    return np.sort(np.linalg.norm(protein.positions_A, axis=1))


def test_each_member_of_a_clump_has_its_row():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        conditions = random_conditions(rng)
        debris = random_debris(rng, random_specimen(rng, conditions.diameter_A, "ball"), conditions)
        rows = Counter(decoy.kind for decoy in debris.decoys)
        assert rows["fragment"] == len(debris.points["fragment"].xy_px)
        assert rows["free_micelle"] == 0
        assert rows["aggregate"] >= len(debris.points["aggregate"].xy_px)
