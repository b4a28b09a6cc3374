"""Assemblies of real chains: contact, symmetry, shapes, and what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.simulate.proteins.builds import BUILDS
from frostpick.simulate.proteins.clouds import (
    Cloud,
    about_z,
    coarse,
    copies,
    joined,
    slid_onto,
    touch,
    touch_copies,
)
from frostpick.simulate.proteins.complexes import in_membrane, on_nucleic_acid, real_build
from frostpick.simulate.proteins.filling import symmetry_matrices
from frostpick.simulate.proteins.nucleic import PAIR_WEIGHT, double_helix
from frostpick.simulate.proteins.outline import outline, range_of_extents, view_outline
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.specimen import (
    SHAPES,
    random_specimen,
    real_specimen,
    with_second_species,
)
from frostpick.simulate.proteins.structures import chains, names

ONE = np.zeros((1, 3))


def cloud(*positions: tuple[float, float, float]) -> Cloud:
    n = len(positions)
    return Cloud(np.array(positions, float), np.ones(n), np.zeros(n, np.int64))


def test_two_beads_touch_at_the_gap():
    # by hand: 3 aside, so sqrt(5^2 - 3^2) = 4 along the way
    found = touch(np.array([[0.0, 3.0, 0.0]]), ONE, np.array([1.0, 0.0, 0.0]), 5.0)
    assert found == pytest.approx(4.0)
    # along a vector of length 2 half as far
    assert touch(ONE, ONE, np.array([0.0, 2.0, 0.0]), 5.0) == pytest.approx(2.5)
    # they pass each other
    assert touch(np.array([[0.0, 9.0, 0.0]]), ONE, np.array([1.0, 0.0, 0.0]), 5.0) == 0.0


def test_a_ring_of_beads_has_the_radius_of_its_polygon():
    group = symmetry_matrices("C6")
    # six points a gap of 2 apart lie on a circle of radius 2
    assert touch_copies(ONE, group[1:], np.array([1.0, 0.0, 0.0]), 2.0) == pytest.approx(2.0)
    made = copies(cloud((2.0, 0.0, 0.0)), group)
    assert len(np.unique(made.part)) == 6
    np.testing.assert_allclose(np.linalg.norm(made.positions, axis=1), 2.0)
    # a copy about an axis along the direction cannot be parted from it
    assert touch_copies(ONE, group[1:], np.array([0.0, 0.0, 1.0]), 2.0) == 0.0


def test_clouds_in_contact_come_no_nearer_but_for_a_few_beads():
    rng = np.random.default_rng(0)
    first, second = (coarse(c.positions_A, c.weights, 8.0) for c in chains("corpus")[:2])
    way = rng.normal(size=3)
    way /= np.linalg.norm(way)
    moved = slid_onto(first, second, way, 8.0)
    nearest = np.linalg.norm(moved.positions[:, None] - second.positions[None], axis=2).min(1)
    assert 0 < np.mean(nearest < 8.0 - 1e-9) <= 0.07
    assert nearest.min() < 8.0  # they do touch


def test_coarse_beads_keep_mass_and_centre():
    chain = chains("corpus")[4]
    made = coarse(chain.positions_A, chain.weights, 11.0)
    assert len(made.weights) < 0.3 * len(chain.weights)
    assert made.weights.sum() == pytest.approx(chain.weights.sum())
    middle = np.average(made.positions, axis=0, weights=made.weights)
    np.testing.assert_allclose(middle, 0, atol=1e-9)


def test_parts_stay_apart_when_clouds_are_joined():
    two = joined([cloud((0, 0, 0)), cloud((1, 0, 0)).moved(about_z(np.pi / 2))])
    assert two.part.tolist() == [0, 1]
    np.testing.assert_allclose(two.positions[1], [0, 1, 0], atol=1e-12)
    tall = cloud((0, 0, 0), (4, 4, 0), (8, 8, 0), (8, 8.1, 0)).lying_along(2)
    assert np.ptp(tall.positions[:, 2]) > 11 and np.ptp(tall.positions[:, 0]) < 0.2


@pytest.mark.parametrize("shape", sorted(BUILDS))
def test_builds_have_their_shape(shape):
    ratio, holes = [], []
    for seed in range(12):
        made, _ = real_build(np.random.default_rng([seed, 9]), shape)
        assert 150 < len(made.weights) < 2500 and np.isfinite(made.positions).all()
        centred = made.positions - made.positions.mean(0)
        width = 2 * np.hypot(centred[:, 0], centred[:, 1]).max()
        ratio.append(np.ptp(centred[:, 2]) / width)
        middle = np.linalg.norm(centred, axis=1) < 0.25 * np.linalg.norm(centred, axis=1).max()
        holes.append(made.weights[middle].sum() / made.weights.sum())
    typical, hole = float(np.median(ratio)), float(np.median(holes))
    expected = {
        "tube": (0.9, 2.4),
        "rod": (1.6, 6.0),
        "ring": (0.1, 1.1),
        "plate": (0.05, 0.9),
    }.get(shape, (0.2, 2.0))
    assert expected[0] < typical < expected[1], ratio
    if shape in ("tube", "ring", "shell"):
        assert hole < 0.02, holes


def test_the_chains_of_the_corpus_are_not_those_of_the_tests():
    corpus, test = names("corpus"), names("test")
    assert len(corpus) == 170 and len(test) == 60 and not set(corpus) & set(test)
    assert len(chains("corpus")) == 340
    for chain in chains("test")[:5]:
        middle = np.average(chain.positions_A, axis=0, weights=chain.weights)
        np.testing.assert_allclose(middle, 0, atol=1e-9)


def test_dna_has_its_length_width_and_mass():
    rng = np.random.default_rng(1)
    line = np.column_stack([np.zeros(50), 3.4 * np.arange(50), np.zeros(50)])
    made = double_helix(rng, line)
    assert made.weights.sum() == pytest.approx(50 * PAIR_WEIGHT)
    assert np.ptp(made.positions[:, 1]) == pytest.approx(49 * 3.4, rel=0.01)
    away = np.hypot(made.positions[:, 0], made.positions[:, 2])
    assert away.max() == pytest.approx(9.0, rel=0.01)
    # the strand comes back to its azimuth after a turn of 10.5 pairs: 21 are two turns
    strand = made.positions[:50]
    np.testing.assert_allclose(strand[0, [0, 2]], strand[21, [0, 2]], atol=1e-6)


def test_proteins_on_dna_and_in_belts():
    for seed in range(6):
        made, spacing = on_nucleic_acid(np.random.default_rng(seed))
        assert made.part.max() >= 1 and spacing >= 4.0
        belt, spacing, _, symmetry = in_membrane(np.random.default_rng(seed))
        own = belt.part == belt.part.max()
        heights = np.abs(belt.positions[own, 2] - np.median(belt.positions[own, 2]))
        assert own.any() and heights.max() < 24 + spacing and symmetry[0] == "C"


def test_outlines_of_a_ring_and_a_disc():
    angle = np.arange(400) * 2 * np.pi / 400
    ring = 5.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    extent, hollowness = outline(ring + 3.0, np.ones(400), 0.5)
    # 11 across, off by 1 % at most between two of the directions; wherever it lies
    assert extent == pytest.approx(11.0, rel=0.01) and hollowness == 1.0
    # a disc of even density: the middle is as dense as all
    radius = np.sqrt((np.arange(20000) + 0.5) / 20000)
    turn = np.arange(20000) * np.pi * (3 - np.sqrt(5))
    disc = radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    extent, hollowness = outline(disc, np.ones(20000), 0.0)
    assert extent == pytest.approx(2.0, rel=0.01) and hollowness < 0.02
    # a wall from .6 to 1: by hand, nothing in the middle; with a tenth of the mass there
    wall = np.concatenate([0.6 * disc + 0.4 * disc / np.linalg.norm(disc, axis=1)[:, None], disc])
    mass = np.concatenate([np.ones(20000), np.full(20000, 0.1)])
    assert 0.9 < outline(wall, mass, 0.0)[1] < 1.0


def test_a_hollow_tube_is_small_and_open_from_its_end():
    z, angle = np.meshgrid(np.linspace(-10, 10, 41), np.arange(40) * np.pi / 20)
    tube = np.column_stack([5 * np.cos(angle.ravel()), 5 * np.sin(angle.ravel()), z.ravel()])
    protein = Protein(tube, np.ones(len(tube)), 0.2)
    extent, hollowness = view_outline(protein, np.array([0.0, 0.0, 0.0]))
    assert extent == pytest.approx(10.6, rel=0.01) and hollowness > 0.95
    extent, hollowness = view_outline(protein, np.array([0.0, 90.0, 0.0]))
    # the diagonal of 20 x 10
    assert extent == pytest.approx(np.hypot(20, 10) + 0.6, rel=0.01) and hollowness < 0.45
    low, high = range_of_extents(np.random.default_rng(0), protein)
    assert low == pytest.approx(10.6, rel=0.01) and high == pytest.approx(22.96, rel=0.02)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_real_specimens_have_the_diameter_that_is_asked_for(shape):
    for seed in range(3):
        made = real_specimen(np.random.default_rng([3, seed]), 140.0, shape)
        assert made.protein.diameter_A == pytest.approx(140.0)
        middle = np.average(made.protein.positions_A, axis=0, weights=made.protein.weights)
        np.testing.assert_allclose(middle, 0, atol=1e-9)
        assert (shape == "membrane") == bool(made.micelles)
        views = made.protein.preferred_views
        np.testing.assert_allclose(np.linalg.norm(views, axis=1), 1.0)
        piece = made.fragment(np.random.default_rng(seed))
        assert 0 < len(piece.weights) < len(made.protein.weights)


def test_every_shape_is_drawn_and_none_that_is_left_out():
    rng = np.random.default_rng(4)
    drawn = {random_specimen(rng, 150.0).shape for _ in range(80)}
    assert drawn == set(SHAPES)
    left = ("tube", "rod", "membrane")
    assert not {random_specimen(rng, 150.0, without=left).shape for _ in range(60)} & set(left)
    with pytest.raises(ValueError, match=r"without.*compact, ring, tube"):
        random_specimen(rng, 150.0, without=("tubes",))
    with pytest.raises(ValueError, match="not all"):
        random_specimen(rng, 150.0, without=tuple(SHAPES))


def test_a_second_species_has_blobs_as_wide_and_about_the_size():
    pieces = others = 0
    for seed in range(12):
        rng = np.random.default_rng([5, seed])
        first = random_specimen(rng, 150.0)
        second = with_second_species(rng, first).second
        assert second is not None and second.sigma_A == first.protein.sigma_A
        middle = np.average(second.positions_A, axis=0, weights=second.weights)
        np.testing.assert_allclose(middle, 0, atol=1e-9)
        size = second.diameter_A / 150.0
        if second.family == "piece":
            pieces += 1
            assert 0.3 < size <= 1.0 + 1e-9
            assert len(second.weights) < len(first.protein.weights)
        else:
            others += 1
            # as dense: its mass goes with the cube of its size, .65 to 1
            ratio = second.weights.sum() / first.protein.weights.sum()
            assert 0.65**3 - 1e-9 <= ratio <= 1.0 + 1e-9
    assert pieces > 1 and others > 1
