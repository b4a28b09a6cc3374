"""Membrane proteins, micelles, and that data sets without them stayed as they were."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.errors import ConfigError
from frostpick.settings import resolve
from frostpick.simulate import (
    MASK_LABELS,
    SimulationSettings,
    random_protein,
    simulate_micrograph,
)
from frostpick.simulate.proteins.filling import symmetry_matrices
from frostpick.simulate.proteins.membrane import Belt, Detergent, empty_micelle, membrane_protein

PLAIN = SimulationSettings(micrographs=2, size=256, diameter_A=120.0, particles_per_micrograph=12)


def test_the_data_sets_of_earlier_versions_come_out_the_same():
    """Numbers written down before membrane proteins and micelles came in."""
    others = {"views": "preferred", "family": "any", "symmetry": "any", "seed": 5}
    for settings, index, columns, total in (
        (PLAIN, 0, (140.38455416, 118.96506288, 236.11892911), 657435.25),
        (PLAIN, 1, (107.32512267, 126.99737873, 97.39338016), 649103.875),
        (PLAIN.model_copy(update=others), 0, (87.95276491, 60.73578087, 31.44833733), 654299.25),
        (PLAIN.model_copy(update=others), 1, (101.06700608, 101.36787135, 30.15584103), 654594.75),
    ):
        m = simulate_micrograph(random_protein(settings), settings, index)
        np.testing.assert_allclose(m.truth.x_px[:3], columns, atol=1e-7)
        assert float(m.image.sum()) == pytest.approx(total, rel=1e-6)


def test_micelles_come_on_top_of_an_unchanged_scene():
    settings = PLAIN.model_copy(update={"size": 512, "particles_per_micrograph": 30})
    protein = random_protein(settings)
    without = simulate_micrograph(protein, settings, 0)
    m = simulate_micrograph(protein, settings.model_copy(update={"micelles": True}), 0)
    t = m.truth.keep(m.truth.kind == "free_micelle")
    assert len(t) >= 3
    rest = m.truth.keep(m.truth.kind != "free_micelle")
    np.testing.assert_array_equal(rest.x_px, without.truth.x_px)
    np.testing.assert_array_equal(rest.kind, without.truth.kind)
    assert MASK_LABELS["free_micelle"] == 6
    assert (m.mask == 6).any() and not (without.mask == 6).any()
    for x, y in zip(t.x_px, t.y_px, strict=True):
        assert 6 in m.mask[max(0, int(y) - 3) : int(y) + 5, max(0, int(x) - 3) : int(x) + 5]
    # far from particles, and all that is marked is near a micelle
    p = m.truth.particles
    apart = np.hypot(p.x_px[:, None] - t.x_px, p.y_px[:, None] - t.y_px)
    assert apart.min() > 0.5 * settings.diameter_px
    rows, columns = np.nonzero(m.mask == 6)
    away = np.hypot(columns[:, None] - t.x_px, rows[:, None] - t.y_px).min(1)
    assert away.max() < 0.5 * settings.diameter_px


def test_a_belt_by_hand():
    # a disc of radius 5 and height 2 whose rim is half a circle around (4, 0)
    belt, detergent = Belt(5.0, 1.0), Detergent(heads=2.0, chains=-1.0, rim=0.25)
    points = np.array(
        [[0, 0, 0], [0, 0, 0.8], [0, 4.9, 0], [3, 0, 1.1], [4.8, 0, 0.8], [5.1, 0, 0]]
    )
    np.testing.assert_allclose(
        belt.depth(points), [1, 0.2, 0.1, -0.1, 1 - np.hypot(0.8, 0.8), -0.1]
    )
    np.testing.assert_array_equal(belt.density(points, detergent), [-1, 2, 2, 0, 0, 0])


@pytest.mark.parametrize("symmetry", ["C1", "C4"])
def test_membrane_proteins_have_a_belt_and_their_diameter(symmetry):
    settings = SimulationSettings(family="membrane", symmetry=symmetry, diameter_A=130.0)
    protein = random_protein(settings)
    assert protein.family == "membrane" and protein.symmetry == symmetry
    assert protein.diameter_A == pytest.approx(130)
    centre = np.average(protein.positions_A, axis=0, weights=protein.weights)
    np.testing.assert_allclose(centre, 0, atol=1e-9)
    detergent = np.isin(protein.weights, (1.3, -0.3))
    assert 0.15 < detergent.mean() < 0.95 and (protein.weights < 0).any()
    # the belt is flat and lies across the axis
    spread = protein.positions_A[detergent].std(0)
    assert spread[2] < 0.7 * spread[:2].min()


def test_axes_in_the_plane_of_the_membrane_are_refused():
    with pytest.raises(ValueError, match="symmetry D2 of a membrane protein; expected C1"):
        membrane_protein(np.random.default_rng(0), "D2", symmetry_matrices("D2"), 120.0)
    with pytest.raises(ConfigError, match="symmetry D2 of a membrane protein; expected C1"):
        resolve(SimulationSettings, ("command line", {"family": "membrane"}))
    values = {"family": "membrane", "symmetry": "any"}
    settings = resolve(SimulationSettings, ("command line", values))
    assert random_protein(settings).symmetry.startswith("C")


def test_a_micelle_is_a_shell():
    protein = random_protein(PLAIN)
    micelle = empty_micelle(np.random.default_rng(1), 70.0, protein)
    assert 55 < micelle.diameter_A <= 71
    radius = np.linalg.norm(micelle.positions_A, axis=1)
    inner, outer = micelle.weights[radius < 9], micelle.weights[radius > 28]
    assert (inner == -0.3).all() and (outer == 1.3).all() and len(outer) > 5
