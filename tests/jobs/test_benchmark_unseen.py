"""The protocol of unseen proteins: geometry, simulator and matched filter by hand sums."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import fft, ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from unseen import matched_filter, micrograph
from unseen.beads import STRUCTURES, Body, structure
from unseen.contacts import CONTACT_A, attached, first_contact, slid, stacked, surrounded
from unseen.extents import extent, hollowness
from unseen.nucleic import RISE_A, double_helix
from unseen.optics import AMPLITUDE, BEAD_SIGMA_A, Optics, frequency, projected
from unseen.places import APART, NEAREST, place
from unseen.proteins import Protein, protein
from unseen.sets import write_half
from unseen.symmetry import directions, group, view_rotation

ONE = np.ones(1)


def ring_of_beads(count: int, radius: float) -> Body:
    angle = 2 * np.pi * np.arange(count) / count
    return Body(
        np.column_stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle]),
        np.ones(count),
    )


def seen(body: Body, rot: float, tilt: float, psi: float) -> np.ndarray:
    return view_rotation(rot * ONE, tilt * ONE, psi * ONE)[0].apply(body.xyz)[:, :2]


# Geometry


def test_extent_of_a_tube_along_and_across() -> None:
    # Two rings of radius 40, 96 apart: the longest distance is sqrt(80^2 + 96^2) = 124.964.
    ring = ring_of_beads(8, 40.0)
    tube = ring.moved(np.array([0, 0, 48.0])) + ring.moved(np.array([0, 0, -48.0]))
    assert tube.diameter_A == pytest.approx(128.964, abs=1e-3)
    # Along the axis the outer ring's diameter, 80, and a bead of 4.
    assert extent(seen(tube, 0, 0, 30), tube.diameter_A) == pytest.approx(84 / 128.964, abs=1e-4)
    assert extent(seen(tube, 0, 90, 0), tube.diameter_A) == pytest.approx(1.0, abs=1e-6)


def test_a_ring_is_hollow_from_above_and_not_from_the_side() -> None:
    ring = ring_of_beads(360, 50.0)
    assert hollowness(seen(ring, 0, 0, 0), ring.weight) == 1.0
    assert hollowness(seen(ring, 0, 90, 0), ring.weight) == 0.0


def test_hollowness_by_a_hand_sum() -> None:
    # Middle: weight 2 on 1/36 of the disc; the annulus of radii 5/6 to 1, 11/36 of it, holds 44:
    # densities 2 and 4 in the same units.
    rim = ring_of_beads(44, 60.0)
    body = rim + Body(np.zeros((1, 3)), np.array([2.0]))
    assert hollowness(body.xyz[:, :2], body.weight) == pytest.approx(0.5)


def test_views_turn_as_relion_has_them() -> None:
    # rot 0, tilt 90: what was along z lies along the image's -x or x; the axis is in the plane.
    axis = Body(np.array([[0, 0, 1.0]]), ONE)
    assert seen(axis, 0, 90, 0)[0] == pytest.approx([-1, 0], abs=1e-12)
    # Row x of Rz(psi) Ry(tilt) Rz(rot), by hand for rot 90 alone: x' = y.
    other = Body(np.array([[0, 1.0, 0]]), ONE)
    assert seen(other, 90, 0, 0)[0] == pytest.approx([1, 0], abs=1e-12)


def test_two_beads_touch_at_the_contact_distance() -> None:
    bead = Body(np.zeros((1, 3)), ONE)
    aside = Body(np.array([[0, 3.0, 0]]), ONE)
    # 3 across and 5 apart: 4 along.
    assert CONTACT_A == 5.0
    assert first_contact(bead, aside, np.array([1.0, 0, 0])) == pytest.approx(4.0)
    assert slid(bead, aside, np.array([1.0, 0, 0])).xyz[0] == pytest.approx([4, 3, 0])
    far = Body(np.array([[0, 6.0, 0]]), ONE)
    with pytest.raises(ValueError, match="pass each other by"):
        stacked([bead, far])


def test_a_ring_by_contact_has_the_radius_of_its_polygon() -> None:
    bead = Body(np.zeros((1, 3)), ONE)
    ring = surrounded(bead, group("C6"), np.array([1.0, 0, 0]))
    # A hexagon whose side is the contact distance has the same radius.
    assert np.linalg.norm(ring.xyz, axis=1) == pytest.approx(np.full(6, 5.0))
    ring = surrounded(bead, group("C4"), np.array([1.0, 0, 0]))
    assert np.linalg.norm(ring.xyz, axis=1) == pytest.approx(np.full(4, 5.0 / np.sqrt(2)))
    around = surrounded(bead, group("C4"), np.array([1.0, 0, 0]), inside=bead)
    assert np.linalg.norm(around.xyz, axis=1) == pytest.approx(np.full(4, 5.0))
    assert attached(bead, bead, np.array([0, 0, 2.0])).xyz[0] == pytest.approx([0, 0, 5.0])


def test_directions_cover_the_sphere_once_per_symmetry() -> None:
    whole = len(directions(15.0, "C1")[0])
    # 4 pi over (15 degrees)^2 is 183.3 directions.
    assert whole == 183
    for name, order in (("C7", 7), ("D7", 14), ("O", 24)):
        rot, tilt = directions(15.0, name)
        assert len(rot) == pytest.approx(whole / order, abs=0.35 * whole / order + 2)
    # Every direction is a copy of one within 15 degrees.
    rot, tilt = np.deg2rad(directions(15.0, "D7"))
    kept = np.column_stack([np.sin(tilt) * np.cos(rot), np.sin(tilt) * np.sin(rot), np.cos(tilt)])
    every = np.vstack([g.apply(kept) for g in group("D7")])
    there = Rotation.random(200, random_state=np.random.RandomState(1)).apply([0, 0, 1.0])
    nearest = np.rad2deg(np.arccos(np.clip((there @ every.T).max(axis=1), -1, 1)))
    assert nearest.max() < 15.0


def test_dna_has_its_pitch() -> None:
    helix = double_helix(21, 1.0)
    # 20 steps of 3.38 A and one bead of 4 A.
    assert helix.size(0) == pytest.approx(20 * RISE_A + 4.0)
    assert helix.size(0) == pytest.approx(71.6)


# Structures


def test_no_structure_is_one_that_models_are_trained_on() -> None:
    with (STRUCTURES / "complexes.tsv").open(encoding="utf-8", newline="") as handle:
        part = {row["pdb"]: row["part"] for row in csv.DictReader(handle, delimiter="\t")}
    corpus = next(name for name, which in part.items() if which == "corpus")
    with pytest.raises(ValueError, match="may have been trained on it"):
        structure(corpus)
    used: list[str] = []
    for name in ("yshape", "lshape", "membrane", "dna"):
        used += [n.partition(".")[0] for n in protein(name).names]
    assert {part[name] for name in used} == {"test"}
    assert len(used) == len(set(used))


def test_parts_touch_and_do_not_run_into_each_other() -> None:
    one = protein("yshape")
    core = structure(one.names[0])
    beads = len(core)
    whole = one.whole
    near, _ = cKDTree(whole.xyz[:beads]).query(whole.xyz[beads:])
    assert near.min() < CONTACT_A
    assert np.mean(near < CONTACT_A - 2.5) < 0.01
    assert np.average(whole.xyz, axis=0, weights=whole.weight) == pytest.approx(np.zeros(3))


# Optics and simulator


def test_contrast_transfer_by_hand() -> None:
    optics = Optics(pixel_A=5.0, defocus_A=20_000.0, b_factor_A2=100.0)
    transfer = optics.transfer((64, 64))
    # No wave aberration at the origin: only the amplitude contrast, and matter is dark.
    assert transfer[0, 0] == pytest.approx(-AMPLITUDE)
    # Eight terms along x: k = 8 / (64 * 5) = 1/40 per A. x = pi * .019687 * k^2 * (20000 -
    # 1.35e7 * .019687^2 * k^2) = .77299; -( .99499 sin x + .1 cos x) exp(-100/4 k^2).
    x = np.pi * 0.019687 / 1600 * (20_000 - 1.35e7 * 0.019687**2 / 1600)
    expected = -(np.sqrt(0.99) * np.sin(x) + 0.1 * np.cos(x)) * np.exp(-25 / 1600)
    assert x == pytest.approx(0.7730, abs=2e-4)
    assert transfer[0, 8] == pytest.approx(expected)


def test_projected_beads_are_gaussians_of_their_weight() -> None:
    # A bead between pixels: the image sums to its weight, with its centre and its width.
    image = fft.irfft2(
        projected(np.array([[20.3, 11.6]]), np.array([7.0]), (32, 48), 2.0), (32, 48)
    )
    y, x = np.mgrid[:32, :48]
    assert image.sum() == pytest.approx(7.0)
    assert (image * x).sum() / 7 == pytest.approx(20.3, abs=1e-3)
    assert (image * y).sum() / 7 == pytest.approx(11.6, abs=1e-3)
    spread = (image * (x - 20.3) ** 2).sum() / 7
    assert np.sqrt(spread) * 2.0 == pytest.approx(BEAD_SIGMA_A, abs=0.02)


def test_a_particle_lies_where_the_truth_says() -> None:
    # An L without any symmetry and without optics: its centre of mass is at the stated place.
    one = protein("lshape")
    item = micrograph.particle(one.whole, np.array([20.0, 65.0, -130.0]), "whole", one.diameter_A)
    at = np.array([[301.37, 222.81]])
    flat = item.body.xyz[:, :2] / 5.0 + at
    image = fft.irfft2(projected(flat, item.body.weight, (720, 752), 5.0), (720, 752))
    # A symmetric blur moves no centre, and ends the ripples of the sharp cut at Nyquist.
    y, x = np.mgrid[:720, :752]
    near = np.hypot(x - at[0, 0], y - at[0, 1]) < 60
    image = ndimage.gaussian_filter(image, 3.0) * near
    total = image.sum()
    centre = ((image * x).sum() / total, (image * y).sum() / total)
    assert centre == pytest.approx(tuple(at[0]), abs=1e-4)
    # And it is dark in the optics of a micrograph, at that place.
    dark = micrograph.field([item], at, Optics(5.0, 15_000.0, 150.0))
    radius = one.diameter_A / 5.0 / 2
    inside = (x - at[0, 0]) ** 2 + (y - at[0, 1]) ** 2 < radius**2
    assert dark[inside].mean() < 0 and abs(dark[~inside].mean()) < 0.02 * abs(dark[inside].mean())


@pytest.fixture(scope="module")
def small() -> Protein:
    """A protein that is quick to simulate: a chain, and a micelle to mislead."""
    return replace(protein("membrane"), name="membrane")


@pytest.fixture(scope="module")
def made(small: Protein) -> micrograph.Made:
    return micrograph.simulate(small, 3.5, "r", 0.3, "test", 3)


def test_the_same_call_gives_the_same_micrograph(small: Protein, made: micrograph.Made) -> None:
    again = micrograph.simulate(small, 3.5, "r", 0.3, "test", 3)
    assert np.array_equal(again.image, made.image) and again.rows == made.rows
    other = micrograph.simulate(small, 3.5, "r", 0.3, "train", 3)
    assert not np.array_equal(other.image, made.image)


def test_what_is_on_a_micrograph(made: micrograph.Made) -> None:
    kinds = [row["kind"] for row in made.rows]
    assert 55 <= kinds.count("particle") <= 90
    assert kinds.count("fragment") >= 3 and kinds.count("free_micelle") >= 5
    particles = [row for row in made.rows if row["kind"] == "particle"]
    assert all(0 < row["extent"] <= 1.0 + 1e-9 and 0 <= row["hollow"] <= 1 for row in particles)
    for row in particles:
        border = min(row["x_coord"], row["y_coord"], 751 - row["x_coord"], 719 - row["y_coord"])
        assert row["edge"] == (border < made.meta["diameter_px"] / 2)
        # No particle lies in the middle of junk; fragments and micelles keep a distance.
        assert made.mask[round(row["y_coord"]), round(row["x_coord"])] in (0, 4, 6)
    at = np.array([[row["x_coord"], row["y_coord"]] for row in particles])
    radius = np.array([row["extent"] for row in particles]) * made.meta["diameter_px"] / 2
    nearest = APART * made.meta["diameter_px"]
    for i, j in cKDTree(at).query_pairs(made.meta["diameter_px"]):
        assert np.hypot(*(at[i] - at[j])) >= max(nearest, NEAREST * (radius[i] + radius[j])) - 1e-6


def test_places_that_are_blocked_stay_empty() -> None:
    blocked = np.zeros((100, 120), bool)
    blocked[:, 60:] = True
    at, which = place(np.random.default_rng(0), np.full(10, 5.0), (100, 120), blocked)
    assert len(at) == len(which) > 5
    assert at[:, 0].round().max() < 60


def test_noise_falls_as_stated() -> None:
    from unseen.noise import CROSSING, amplitude

    shape = (720, 752)
    k, law = frequency(shape), amplitude(shape, "r")
    ten = law[18, 0]  # 18 / 720 = .025 cycles a pixel
    assert k[18, 0] == pytest.approx(0.025)
    assert ten == pytest.approx(np.sqrt(1 + (0.025 / CROSSING) ** -2.4))
    assert np.all(amplitude(shape, "w") == 1)


def test_drawn_noise_has_the_power_that_the_filter_takes() -> None:
    from unseen.noise import micrograph_noise, power

    optics = Optics(5.0, 15_000.0, 120.0)
    drawn = micrograph_noise(np.random.default_rng(2), optics, (256, 256), "r", 0.4)
    found = np.abs(fft.rfft2(drawn)) ** 2 / 256**2
    stated = power(optics, (256, 256), "r", 0.4)
    k = frequency((256, 256))
    for low, high in ((0.01, 0.04), (0.1, 0.2), (0.3, 0.4)):
        ring = (k >= low) & (k < high)
        assert found[ring].mean() == pytest.approx(stated[ring].mean(), rel=0.12)


def test_a_written_half_opens_as_the_development_data_do(
    tmp_path: Path, made: micrograph.Made
) -> None:
    from accuracy.sets import SetInfo, open_set

    for half in ("train", "test"):
        write_half(tmp_path / half, {f"one_{half}_000": made}, "membrane_r")
    diameter = made.meta["diameter_A"]
    data = open_set("x", tmp_path, SetInfo("x", "coords.csv", 3.5, diameter, True))
    assert data.test.shape == (720, 752)
    assert len(data.test.truth.particles) == made.meta["n_particles"]
    first = made.rows[0]
    assert data.test.truth.x_px[0] == pytest.approx(first["x_coord"], abs=1e-4)
    mask = data.test.mask("one_test_000")
    assert mask is not None and np.array_equal(mask, made.mask)
    assert data.test.defocus_A["one_test_000"] == made.meta["defocus_A"]


# The matched filter


def test_the_filter_finds_what_was_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replace(protein("lshape"), symmetry="C1")
    # Few views are enough: the planted ones are among them.
    monkeypatch.setattr(matched_filter, "STEP_DEGREES", 40.0)
    monkeypatch.setattr(matched_filter, "protein", lambda name: one)
    matched_filter.views.cache_clear()
    rng = np.random.default_rng(5)
    optics = Optics(6.0, 15_000.0, 120.0)
    at = np.array([[80.4, 200.7], [250.2, 120.9]])
    rot, tilt = directions(40.0, "C1")
    items = [
        micrograph.particle(one.whole, np.array(view), "whole", one.diameter_A)
        for view in ([rot[3], tilt[3], 80.0], [rot[7], tilt[7], 240.0])
    ]
    clean = micrograph.field(items, at, optics)[:300, :340]
    scale = 2.5 / np.abs(clean).max()
    image = clean * scale + rng.standard_normal(clean.shape)
    meta = {
        "diameter_px": one.diameter_A / 6.0,
        "pixel_A": 6.0,
        "defocus_A": 15_000.0,
        "B": 120.0,
        "scale": scale,
        "noise_scale": 1.0,
        "noise_struct_frac": 0.0,
        "law": "w",
    }
    x, y, score = matched_filter.filter_micrograph(image, None, meta, "lshape")
    found = np.column_stack([x, y])[:2]
    for place_ in at:
        assert np.hypot(*(found - place_).T).min() < 0.1 * meta["diameter_px"]
    assert score[1] > 15 and score[2] < score[1] / 3
    # Junk over one of them takes it away.
    mask = np.zeros(image.shape, np.uint8)
    mask[150:250, 30:130] = 2
    x, y, _ = matched_filter.filter_micrograph(image, mask, meta, "lshape")
    assert np.hypot(x[0] - 250.2, y[0] - 120.9) < 0.1 * meta["diameter_px"]
    assert not np.any((np.abs(x - 80) < 49) & (np.abs(y - 200) < 49))
    matched_filter.views.cache_clear()


def test_binning_keeps_means() -> None:
    image = np.full((60, 80), 3.0)
    assert matched_filter.binned(image, (30, 40)) == pytest.approx(np.full((30, 40), 3.0))
