"""Whole simulated micrographs: truth, mask, determinism, settings."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.errors import ConfigError
from frostpick.images import read_image
from frostpick.settings import resolve
from frostpick.simulate import (
    DECOYS,
    MASK_LABELS,
    SimulationSettings,
    add_projection,
    random_protein,
    simulate_dataset,
    simulate_micrograph,
    write_mrc,
)
from frostpick.simulate.camera.ctf import filtered, frequencies_per_A
from frostpick.simulate.proteins.views import euler_matrix

SMALL = SimulationSettings(micrographs=3, size=512, particles_per_micrograph=40)
CLEAN = {name: False for name in ("carbon", "ice_crystals", "aggregates", "fragments", "specks")}


@pytest.fixture(scope="module")
def dataset():
    return list(simulate_dataset(SMALL))


def test_shape_type_and_level(dataset):
    assert [m.name for m in dataset] == ["sim_000", "sim_001", "sim_002"]
    for m in dataset:
        assert m.image.shape == m.mask.shape == (512, 512)
        assert m.image.dtype == np.float32 and m.mask.dtype == np.uint8
        assert np.isfinite(m.image).all()
        assert m.image[m.mask == 0].std() == pytest.approx(1, abs=0.5)
        assert 0.12 <= m.snr <= 0.35 and 8000 <= m.ctf.defocus_A <= 26000
        assert m.pixel_size_A == 5.0 and m.diameter_A == pytest.approx(160)


def test_a_micrograph_depends_on_seed_and_index_alone(dataset):
    again = simulate_micrograph(random_protein(SMALL), SMALL, 2)
    np.testing.assert_array_equal(again.image, dataset[2].image)
    np.testing.assert_array_equal(again.mask, dataset[2].mask)
    np.testing.assert_array_equal(again.truth.x_px, dataset[2].truth.x_px)
    other = SMALL.model_copy(update={"seed": 1})
    assert not np.array_equal(
        simulate_micrograph(random_protein(other), other, 2).image, again.image
    )
    assert not np.array_equal(dataset[0].image, dataset[1].image)


def test_truth_lies_inside_apart_and_off_the_junk(dataset):
    for m in dataset:
        t = m.truth.particles
        assert len(t) > 10 and set(t.kind) == {"particle"}
        assert set(m.truth.kind) <= {"particle", *DECOYS}
        for column in (m.truth.x_px, m.truth.y_px):
            assert (column >= 0).all() and (column <= 511).all()
        apart = np.hypot(t.x_px[:, None] - t.x_px, t.y_px[:, None] - t.y_px)
        apart[np.diag_indices(len(t))] = np.inf
        assert apart.min() >= 0.85 * 32 - 1e-9
        at = np.round(np.column_stack([t.y_px, t.x_px])).astype(int)
        assert (m.mask[at[:, 0], at[:, 1]] == 0).all()


def test_edge_means_that_the_circle_crosses_the_border(dataset):
    for m in dataset:
        t = m.truth
        crosses = (t.x_px < 16) | (t.y_px < 16) | (t.x_px > 511 - 16) | (t.y_px > 511 - 16)
        np.testing.assert_array_equal(t.edge, crosses)
    assert any(m.truth.edge.any() for m in dataset)


def test_mask_labels_lie_on_what_they_name(dataset):
    seen = set()
    for m in dataset:
        for kind in DECOYS:
            t = m.truth.keep(m.truth.kind == kind)
            label = MASK_LABELS[kind]
            assert (label in m.mask) == (len(t) > 0)
            for x, y in zip(t.x_px, t.y_px, strict=True):
                near = m.mask[max(0, int(y) - 8) : int(y) + 9, max(0, int(x) - 8) : int(x) + 9]
                assert label in near
                seen.add(kind)
    assert seen == set(DECOYS) - {"free_micelle"}


def test_every_third_micrograph_has_carbon_and_it_is_darker(dataset):
    assert [MASK_LABELS["carbon"] in m.mask for m in dataset] == [False, True, False]
    m = dataset[1]
    assert m.image[m.mask == 2].mean() < m.image[m.mask == 0].mean() - 0.8
    assert 0.01 < (m.mask == 2).mean() < 0.4


def test_junk_can_be_switched_off():
    m = simulate_micrograph(
        random_protein(SMALL), SMALL.model_copy(update={**CLEAN, "gradient": False}), 1
    )
    assert not m.mask.any() and set(m.truth.kind) == {"particle"}
    none = SMALL.model_copy(update={**CLEAN, "particles_per_micrograph": 0.0})
    assert len(simulate_micrograph(random_protein(none), none, 0).truth) == 0


def test_particles_are_dark_and_exactly_where_the_truth_says():
    """The image correlates with particles drawn from the truth, best at a shift of nothing."""
    settings = SMALL.model_copy(update={**CLEAN, "noise": "low", "gradient": False})
    protein = random_protein(settings)
    m = simulate_micrograph(protein, settings, 0)
    drawn = np.zeros_like(m.image)
    t = m.truth
    for x, y, *angles in zip(t.x_px, t.y_px, t.rot, t.tilt, t.psi, strict=True):
        add_projection(drawn, protein, euler_matrix(*angles), (x, y), m.pixel_size_A)
    drawn = filtered(drawn, m.ctf(frequencies_per_A(drawn.shape, m.pixel_size_A)))
    spectrum = np.fft.rfft2(m.image - m.image.mean()) * np.conj(np.fft.rfft2(drawn))
    correlation = np.fft.irfft2(spectrum, s=drawn.shape)
    top = np.unravel_index(correlation.argmax(), correlation.shape)
    assert top == (0, 0)
    for around in (correlation[[-1, 0, 1], 0], correlation[0, [-1, 0, 1]]):
        left, middle, right = around
        assert abs(0.5 * (left - right) / (left - 2 * middle + right)) < 0.05
    # dark: inside the circles the mean is lower
    y, x = np.mgrid[:512, :512]
    inside = np.zeros((512, 512), bool)
    for cx, cy in zip(t.x_px, t.y_px, strict=True):
        inside |= np.hypot(x - cx, y - cy) < 8
    assert m.image[inside].mean() < m.image[~inside].mean() - 0.5


def test_signal_to_noise_is_as_asked():
    """Noise of variance 1: the variance of the signal in the circles is the ratio itself."""
    base = {**CLEAN, "gradient": False, "crowding": 0.0, "spacing": 2.0}
    loud, quiet = (
        SMALL.model_copy(update={**base, "snr": (v, v), "particles_per_micrograph": 10.0})
        for v in (4.0, 1.0)
    )
    protein = random_protein(loud)
    a, b = (simulate_micrograph(protein, s, 0) for s in (loud, quiet))
    signal = a.image - b.image  # same noise, twice the signal less once
    y, x = np.mgrid[:512, :512]
    t = a.truth.keep(~a.truth.edge)
    variances = [
        signal[np.hypot(x - cx, y - cy) <= 16].var() for cx, cy in zip(t.x_px, t.y_px, strict=True)
    ]
    assert np.mean(variances) == pytest.approx(1, rel=0.3)


def test_preferred_views_reach_the_truth():
    settings = SMALL.model_copy(update={"views": "preferred", **CLEAN})
    protein = random_protein(settings)
    t = simulate_micrograph(protein, settings, 0).truth
    view = np.array([euler_matrix(*a)[2] for a in zip(t.rot, t.tilt, t.psi, strict=True)])
    near = (view @ protein.preferred_views.T).max(1) > np.cos(np.deg2rad(40))
    assert near.mean() > 0.6


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"symmetry": "Q7"}, "symmetry.*(?i:C1 to C19)"),
        ({"snr": (0.3, 0.1)}, "snr.*lower one first"),
        ({"defocus_um": (0.0, 1.0)}, "defocus_um"),
        ({"size": 64, "diameter_A": 400}, "diameter of 80 pixels"),
        ({"micrograph": 3}, "did you mean 'micrographs'"),
    ],
)
def test_wrong_settings(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        resolve(SimulationSettings, ("command line", values))


def test_any_family_and_symmetry():
    built = {
        (p.family, p.symmetry)
        for seed in range(12)
        for p in [random_protein(SimulationSettings(family="any", symmetry="any", seed=seed))]
    }
    assert len(built) > 5


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_written_and_read_back(tmp_path, dataset, dtype):
    image = dataset[0].image.astype(dtype)
    path = tmp_path / "new" / "sim_000.mrc"
    write_mrc(path, image, 5.0)
    back = read_image(path, "m")
    np.testing.assert_array_equal(back.data, image.astype(np.float32))
    assert back.pixel_size_A == pytest.approx(5.0)
    assert [p.name for p in path.parent.iterdir()] == ["sim_000.mrc"]
    with pytest.raises(ValueError, match="2-D float32 or float16"):
        write_mrc(path, image[None], 5.0)


def test_written_files_are_valid_for_mrcfile(tmp_path, dataset):
    import io

    import mrcfile

    path = tmp_path / "a.mrc"
    write_mrc(path, dataset[0].image, 5.0)
    report = io.StringIO()
    assert mrcfile.validate(path, print_file=report), report.getvalue()
