"""The protocol of unseen proteins: geometry, simulator, matched filter and tables by hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from accuracy.matching import Matched
from accuracy.truth_table import TruthTable
from scipy import fft, ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from unseen import matched_filter, micrograph, plan
from unseen.beads import STRUCTURES, Body, structure
from unseen.bins import Bin, binned_recall, edges, threshold, wilson, worst
from unseen.contacts import CONTACT_A, attached, first_contact, slid, stacked, surrounded
from unseen.extents import extent, hollowness
from unseen.families import FOLDS, SHAPES, Member, families_table, judged, pretrained, recipe_of
from unseen.gathered import Cell, Gathered, Limit, Views
from unseen.nucleic import RISE_A, double_helix
from unseen.optics import AMPLITUDE, BEAD_SIGMA_A, Optics, frequency, projected
from unseen.places import APART, NEAREST, place
from unseen.proteins import Protein, protein
from unseen.sets import CONDITIONS, SETS, write_half
from unseen.symmetry import directions, group, view_rotation
from unseen.tables import pages, set_table, summary_table, view_table, worst_view

from frostpick.recipes.pretrain_picker import PickerRecipe

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


# Bins and tables


def test_wilson_interval_by_hand() -> None:
    # Wilson (1927) with z = 1.96 of 81 in 263: .2553 to .3662 (Newcombe 1998, table I).
    low, high = wilson(81, 263)
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0 and wilson(10, 10)[1] == pytest.approx(1.0)


def test_bins_hold_enough_each() -> None:
    extent_ = np.repeat([0.31, 0.52, 0.53, 0.97], [60, 50, 90, 120])
    # 60 up to .35, 200 up to .55; the last 120 are enough by themselves.
    assert edges(extent_, 100) == pytest.approx([0, 0.55, 1.05])
    assert edges(extent_, 200) == pytest.approx([0, 1.05])
    assert edges(extent_[:30], 100) == pytest.approx([0, 1.05])


def test_recall_by_bin_as_a_share() -> None:
    extent_ = np.repeat([0.4, 0.9], 100)
    hollow = np.repeat([1.0, 0.0], 100)
    first = np.repeat([True, False, True, False], [30, 70, 80, 20])
    second = np.repeat([True, False, True, False], [50, 50, 100, 0])
    limit = np.repeat([True, False, True], [80, 20, 100])
    bins = binned_recall(extent_, hollow, [first, second], limit)
    assert [b.particles for b in bins] == [100, 100]
    # Means over draws: .40 and .90; the filter finds .8 and 1.
    assert [b.recall for b in bins] == pytest.approx([0.4, 0.9])
    assert [b.share for b in bins] == pytest.approx([0.5, 0.9])
    assert [b.hollow for b in bins] == [1.0, 0.0]
    # Wilson of 40 in 100: .3094 to .4980, over .8.
    assert bins[0].interval == pytest.approx((0.3094 / 0.8, 0.4980 / 0.8), abs=1e-3)
    low = worst(bins)
    assert low is not None and low.low == 0.0
    assert worst([Bin(0, 1, 99, 0.1, 1.0, 0.0)]) is None


def test_threshold_is_the_lowest_that_keeps_the_precision() -> None:
    true = np.array([1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], bool)
    score = np.arange(12, 0, -1.0)
    nothing = TruthTable(*[np.zeros(0)] * 8)
    matched = Matched(score, score, score, true, np.zeros(12, int), np.zeros(0), nothing, ONE)
    # 9 of the first 10 are right.
    assert threshold(matched, 0.9) == 3.0
    assert threshold(matched, 0.95) == 12.0
    wrong = replace(matched, true=np.zeros(12, bool))
    assert threshold(wrong, 0.9) == np.inf


def gathered() -> Gathered:
    found = np.repeat([True, False], [60, 40])
    every, views = np.ones(100, bool), np.full(100, 0.95)

    def cell(start: str, name: str, labels: str, ap: float, hits: int = 60) -> Cell:
        return Cell(start, name, labels, (ap,), (np.arange(100) < hits,))

    cells = [
        cell("old-1", "tube_r", "none", 0.70),
        cell("old-1", "ring_r", "none", 0.80),
        cell("new-2", "tube_r", "none", 0.90, 90),
        cell("new-2", "ring_r", "none", 0.60, 30),
        cell("new-2", "tube_r", "all", 0.95),
        cell("new-2", "ring_r", "all", 0.97),
        Cell("new-2", "apof_r", "none", (0.99,)),
    ]
    return Gathered(
        {(c.start, c.set, c.labels): c for c in cells},
        {"tube_r": Limit(0.98, every), "ring_r": Limit(0.97, found)},
        {
            "tube_r": Views("tube", views, np.zeros(100)),
            "ring_r": Views("ring", views, np.ones(100)),
        },
        ("apof_r",),
    )


def row(table: str, first: str) -> list[str]:
    lines = [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()]
    return next(line for line in lines if line[0] == first)


def test_set_table() -> None:
    table = set_table(gathered())
    assert row(table, "tube_r") == ["tube_r", "0.980", "0.700", "0.900", "0.950"]
    assert row(table, "ring_r") == ["ring_r", "0.970", "0.800", "0.600", "0.970"]
    # Development data stand below; the filter's figure there is the recorded one.
    assert row(table, "apof_r")[2:] == ["-", "0.990", "-"]


def test_summary_has_the_worst_beside_the_mean() -> None:
    table = summary_table(gathered())
    new = row(table, "none, new")
    # Mean of .9 and .6; apof_r is outside. Gaps .05 and .37, mean .21.
    assert new[1:6] == ["2", "0.750", "0.600 ring_r", "0.210", "0.370 ring_r"]
    # Ring: 30 of 100 found, the filter 60: share .5, Wilson of .3 (.2189 to .3958) over .6.
    assert new[6:8] == ["ring 0.00-1.05", "0.50 (0.36-0.66)"]
    # Mean of .5 and .9.
    assert new[8] == "0.700"
    old = row(table, "none, old")
    assert old[1:6] == ["2", "0.750", "0.700 tube_r", "-", "-"]
    # Tube: 60 of 100 where the filter finds all; ring 60 of its 60.
    assert old[6:8] == ["tube 0.00-1.05", "0.60 (0.50-0.69)"]
    assert worst_view(gathered(), "old-1", "all") is None


def test_view_table_and_pages() -> None:
    table = view_table(gathered())
    assert row(table, "ring, 0.00-1.05")[1:5] == ["100", "1.00", "0.600", "1.00 (0.84-1.15)"]
    assert len(pages(gathered())) == 3
    assert "no results" in pages(Gathered({}, {}, {}))[0]


# What is run


def test_planned_runs_and_names() -> None:
    runs = [str(run) for run in plan.planned(["tube_r"], ["none", "0", "15", "all"], 2)]
    assert runs == [
        "tube_r-none-d0-main",
        "tube_r-0-d0-main",
        "tube_r-15-d0-main",
        "tube_r-all-d0-main",
        "tube_r-15-d1-main",
    ]
    assert plan.chosen_sets("tube_r,rod_w", None) == ["tube_r", "rod_w"]
    assert len(plan.chosen_sets(None, None)) == 22 == 2 * len(CONDITIONS)
    with pytest.raises(SystemExit, match="apof_r"):
        plan.chosen_sets("apof_r", None)
    with pytest.raises(SystemExit, match="--counts 16"):
        plan.chosen_counts("none,16")


def test_every_shape_of_a_fold_has_sets_and_every_protein_a_shape() -> None:
    assert set(SHAPES) == set(CONDITIONS) == {base for base, _ in SETS.values()}
    for name in ("yshape", "lshape", "membrane", "dna"):
        assert protein(name).shape == SHAPES[name]
    for shapes in FOLDS.values():
        assert set(shapes) <= set(SHAPES.values())
    assert judged("rod_w", "tube-rod") and not judged("rod_w", "ring-plate")


def test_families_table_by_hand() -> None:
    tags = {
        Member("all", 1): "a1",
        Member("all", 2): "a2",
        Member("tube-rod", 1): "t1",
        Member("tube-rod", 2): "t2",
    }
    ap = {
        ("a1", "tube_r"): 0.9,
        ("a2", "tube_r"): 0.8,
        ("t1", "tube_r"): 0.5,
        ("t2", "tube_r"): 0.6,
        ("a1", "rod_r"): 0.7,
        ("t1", "rod_r"): 0.6,
        ("a1", "dna_r"): 0.99,
        ("t1", "dna_r"): 0.1,
    }
    results = [{"start": t, "set": s, "labels": "none", "ap": v} for (t, s), v in ap.items()]
    table = families_table(results, tags)
    assert row(table, "tube_r")[1:] == ["tube", "0.850", "0.550", "0.300", "2, 2"]
    # DNA is in no fold: what the fold's models make of it is no unseen family.
    assert row(table, "dna_r")[1:] == ["nucleic", "0.990", "-", "-", "1, 0"]
    # .85, .7 and .99; of the shapes left out .775 and .575.
    assert row(table, "all sets")[2] == "0.847"
    assert row(table, "sets of the shapes left out")[2:5] == ["0.775", "0.575", "0.200"]
    assert row(table, "worst of them")[2:5] == ["0.700", "0.550", "0.150"]


TINY = PickerRecipe(
    micrographs=4,
    held_out=1,
    steps=2,
    measure_every=2,
    tiles=2,
    outputs=9,
    arguments={"stem": 2, "channels": 4, "last": 4, "dilations": "1"},
    average=0.5,
    looks=False,
)


def test_a_recipe_leaves_its_shapes_out() -> None:
    assert recipe_of(Member("all", 7), TINY) == replace(TINY, seed=7)
    assert recipe_of(Member("ring-plate", 7), TINY).without == ("ring", "plate")
    small_budget = recipe_of(Member("all", 7))
    assert (small_budget.micrographs, small_budget.steps) == (1600, 12_000)


@pytest.mark.slow
def test_a_pretrained_model_is_not_made_twice(tmp_path: Path) -> None:
    path = pretrained(Member("tube-rod", 7), tmp_path, 1, TINY)
    before = path.stat().st_mtime_ns
    assert pretrained(Member("tube-rod", 7), tmp_path, 1, TINY) == path
    assert path.stat().st_mtime_ns == before
