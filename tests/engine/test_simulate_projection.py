"""Projections, orientations and centres against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.simulate import Protein, SimulationSettings, add_projection, random_protein
from frostpick.simulate.proteins.filling import symmetry_matrices
from frostpick.simulate.proteins.views import euler_matrix, preferred_angles, random_angles

pytestmark = pytest.mark.quick

# one heavy blob on each axis of the particle, none opposite to another
AXES = Protein(
    positions_A=np.array([[40.0, 0, 0], [0, 30.0, 0], [0, 0, 20.0]]),
    weights=np.array([1.0, 2.0, 4.0]),
    sigma_A=4.0,
)


def blank(ny=80, nx=96):
    return np.zeros((ny, nx), np.float32)


def centre_of_mass(image):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return (image * x).sum() / image.sum(), (image * y).sum() / image.sum()


def test_projection_equals_the_sum_over_a_fine_volume():
    """Each blob put on a 3-D grid, turned by hand, summed along z, read at the pixels."""
    pixel, (x0, y0) = 4.0, (45.3, 38.8)
    angles = (25.0, 60.0, -110.0)
    image = blank()
    add_projection(image, AXES, euler_matrix(*angles), (x0, y0), pixel)

    # RELION's three turns one after the other, as active turns of the blobs by the negative angles
    def turn_z(v, degrees):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        return np.array([c * v[0] + s * v[1], -s * v[0] + c * v[1], v[2]])

    def turn_y(v, degrees):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        return np.array([c * v[0] - s * v[2], v[1], s * v[0] + c * v[2]])

    y, x, z = np.meshgrid(
        np.arange(80.0), np.arange(96.0), np.arange(-24, 24, 0.5), indexing="ij", sparse=True
    )
    sigma = np.sqrt((4.0 / pixel) ** 2 + 0.25)
    expected = np.zeros((80, 96))
    for position, weight in zip(AXES.positions_A, AXES.weights, strict=True):
        p = turn_z(turn_y(turn_z(position, angles[0]), angles[1]), angles[2]) / pixel
        r2 = (x - x0 - p[0]) ** 2 + (y - y0 - p[1]) ** 2 + (z - p[2]) ** 2
        density = weight * np.exp(-r2 / (2 * sigma**2)) / (2 * np.pi * sigma**2) ** 1.5
        expected += density.sum(2) * 0.5
    np.testing.assert_allclose(image, expected, atol=2e-4 * expected.max())


@pytest.mark.parametrize(
    ("angles", "seen"),
    [
        # by hand: where the axes x, y, z of the particle come to lie in the image (x, y)
        ((0, 0, 0), ((1, 0), (0, 1), (0, 0))),
        ((90, 0, 0), ((0, -1), (1, 0), (0, 0))),
        ((0, 90, 0), ((0, 0), (0, 1), (-1, 0))),
        ((0, 0, 90), ((0, -1), (1, 0), (0, 0))),
        ((90, 90, 0), ((0, -1), (0, 0), (-1, 0))),
        ((0, 90, 90), ((0, 0), (1, 0), (0, 1))),
    ],
)
def test_known_orientations(angles, seen):
    np.testing.assert_allclose(euler_matrix(*angles)[:2].T, seen, atol=1e-12)


def test_turns_are_proper():
    for angles in random_angles(np.random.default_rng(0), 20):
        matrix = euler_matrix(*angles)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(1)


@pytest.mark.parametrize("pixel", [1.0, 4.0, 9.0])
def test_centre_of_mass_is_where_the_truth_says(pixel):
    """An asymmetric protein at odd fractions of a pixel, coarse pixels included."""
    settings = SimulationSettings(family="lobed", symmetry="C1", diameter_A=60.0 * pixel)
    protein = random_protein(settings.model_copy(update={"pixel_size_A": pixel}))
    rng = np.random.default_rng(3)
    for angles in random_angles(rng, 4):
        xy = 64 + rng.uniform(-3, 3, 2)
        image = blank(128, 128)
        add_projection(image, protein, euler_matrix(*angles), (xy[0], xy[1]), pixel)
        np.testing.assert_allclose(centre_of_mass(image), xy, atol=0.02)
        assert image.sum() == pytest.approx(protein.weights.sum(), rel=1e-3)


def test_what_is_outside_is_cut_off():
    whole, part = blank(), blank(40, 50)
    matrix = euler_matrix(10, 20, 30)
    add_projection(whole, AXES, matrix, (3.2, 1.7), 4.0)
    add_projection(part, AXES, matrix, (3.2, 1.7), 4.0)
    np.testing.assert_array_equal(part, whole[:40, :50])
    add_projection(part, AXES, matrix, (-400.0, 20.0), 4.0)
    np.testing.assert_array_equal(part, whole[:40, :50])


def test_random_orientations_cover_the_sphere_evenly():
    angles = random_angles(np.random.default_rng(1), 6000)
    view = np.array([euler_matrix(*a)[2] for a in angles])
    assert np.abs(view.mean(0)).max() < 0.03
    np.testing.assert_allclose(view.T @ view / len(view), np.eye(3) / 3, atol=0.02)
    assert abs(np.cos(np.deg2rad(angles[:, 2])).mean()) < 0.04


def test_preferred_orientations_prefer():
    direction = np.array([[0.0, 0.6, 0.8], [1.0, 0.0, 0.0]])
    angles = preferred_angles(np.random.default_rng(2), 2000, direction)
    view = np.array([euler_matrix(*a)[2] for a in angles])
    near = [(view @ d > np.cos(np.deg2rad(40))).mean() for d in direction]
    # by hand: 0.8 * (1 - exp(-12 (1 - cos 40))) / 2 + 0.2 * (1 - cos 40) / 2 = 0.376 + 0.023
    np.testing.assert_allclose(near, 0.40, atol=0.04)


@pytest.mark.parametrize("family", ["compact", "hollow", "elongated", "lobed"])
@pytest.mark.parametrize("symmetry", ["C1", "C3", "D2", "O"])
def test_proteins_have_their_diameter_centre_and_symmetry(family, symmetry):
    protein = random_protein(SimulationSettings(family=family, symmetry=symmetry, diameter_A=150))
    assert protein.diameter_A == pytest.approx(150)
    assert protein.family == family
    centre = (protein.weights[:, None] * protein.positions_A).sum(0)
    np.testing.assert_allclose(centre / protein.weights.sum(), 0, atol=1e-9)
    ordered = np.sort(np.round(protein.positions_A @ [1.0, 0.1, 0.01], 6))
    for matrix in symmetry_matrices(symmetry):
        turned = protein.positions_A @ matrix.T
        np.testing.assert_allclose(
            np.sort(np.round(turned @ [1.0, 0.1, 0.01], 6)), ordered, atol=2e-6
        )


def test_hollow_is_hollow_and_elongated_is_long():
    def protein(family, symmetry):
        return random_protein(SimulationSettings(family=family, symmetry=symmetry))

    radius = np.linalg.norm(protein("hollow", "O").positions_A, axis=1)
    assert (radius < 30).mean() < 0.05
    spread = protein("elongated", "D2").positions_A.std(0)
    assert spread[2] > 1.5 * spread[:2].max()


def test_a_piece_is_smaller_and_centred_anew():
    protein = random_protein(SimulationSettings())
    piece = protein.piece(np.array([0, 0, 1.0]), 0.4)
    assert len(piece.weights) == pytest.approx(0.4 * len(protein.weights), abs=2)
    np.testing.assert_allclose(
        np.average(piece.positions_A, axis=0, weights=piece.weights), 0, atol=1e-9
    )
