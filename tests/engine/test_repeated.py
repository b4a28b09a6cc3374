"""What occurs again and again is found without a model; noise and one-off things are not."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import draw_discs, noise, places_apart

from frostpick.errors import spelled
from frostpick.points import first_within
from frostpick.repeated.candidates import centred, find_candidates, phase_randomised
from frostpick.repeated.lattice import opposite_excess
from frostpick.repeated.search import Kind, Picture, search, told_of

PX = 16.0
SHAPE = (360, 360)


def ringed(seed: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with rings of 0.6 diameters on noise, and where they are, (y, x)."""
    rng = np.random.default_rng(seed)
    image = noise(SHAPE, seed)
    xy = places_apart(rng, SHAPE, count, 16.0, 34.0)
    draw_discs(image, xy, 2.0, 5.0, 2.0)
    return image.astype(np.float32), xy[:, ::-1].copy()


@pytest.fixture(scope="module")
def rings() -> list[tuple[np.ndarray, np.ndarray]]:
    return [ringed(seed) for seed in range(4)]


def pictures(rings: list[tuple[np.ndarray, np.ndarray]], picked: float) -> list[Picture]:
    """Return pictures on which a share of the rings is picked."""
    return [
        Picture(str(k), image, PX, yx[: round(picked * len(yx))])
        for k, (image, yx) in enumerate(rings)
    ]


@pytest.mark.quick
def test_rings_that_nobody_picks_are_a_kind_that_is_missed(
    rings: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    kinds = search(pictures(rings, 0.0))
    assert kinds
    assert sum(map(len, kinds)) >= 0.5 * 4 * 40
    assert all(kind.picked == 0.0 and kind.is_missed and not kind.is_ice for kind in kinds)
    for kind in kinds:  # each member lies on a ring, at its centre
        for image, yx in zip(kind.picture, kind.yx, strict=True):
            away = np.hypot(*(rings[image][1] - yx).T)
            assert away.min() < 0.25 * PX
    assert "mostly not picked: kind 1" in told_of(kinds)


def test_rings_that_are_picked_are_told_as_picked(
    rings: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    kinds = search(pictures(rings, 1.0))
    assert kinds and all(kind.picked > 0.95 for kind in kinds)
    assert "mostly picked" in told_of(kinds) and "not picked" not in told_of(kinds)


def test_noise_of_any_spectrum_has_nothing_that_repeats(
    rings: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    rng = np.random.default_rng(7)
    nothing = [
        Picture(str(k), phase_randomised(image, rng), PX, np.zeros((0, 2)))
        for k, (image, _) in enumerate(rings)
    ]
    assert search(nothing) == []
    assert told_of([]) == ""


def test_what_is_on_one_micrograph_alone_does_not_repeat() -> None:
    crowded, _ = ringed(11, 60)
    empty = [noise(SHAPE, seed).astype(np.float32) for seed in (12, 13, 14)]
    found = search(
        [Picture(str(k), one, PX, np.zeros((0, 2))) for k, one in enumerate([crowded, *empty])]
    )
    assert found == []


def test_pictures_too_coarse_are_passed_over(
    rings: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    assert search([Picture("a", rings[0][0], 9.0, np.zeros((0, 2)))] * 4) == []


def test_a_larger_picture_gives_places_in_its_own_pixels(
    rings: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    large = [
        Picture(str(k), np.kron(image, np.ones((2, 2), np.float32)), 2 * PX, np.zeros((0, 2)))
        for k, (image, _) in enumerate(rings)
    ]
    kinds = search(large)
    assert kinds
    for image, yx in zip(kinds[0].picture, kinds[0].yx, strict=True):
        # pixel (y, x) became the four about (2 y + .5, 2 x + .5)
        assert np.hypot(*(2 * rings[image][1] + 0.5 - yx).T).min() < 0.25 * 2 * PX


def test_a_place_on_a_rings_wall_moves_to_its_middle() -> None:
    image = np.random.default_rng(5).normal(0, 0.1, (64, 64))
    draw_discs(image, [(32.0, 30.0)], 1.0, 4.0, 2.0)
    moved = centred(image.astype(np.float32), np.array([[30.0, 35.0]]), PX)
    np.testing.assert_allclose(moved, [[30.0, 32.0]], atol=0.6)


def test_random_phases_keep_the_amplitudes() -> None:
    image = ringed(3)[0]
    other = phase_randomised(image, np.random.default_rng(1))
    a, b = (np.abs(np.fft.rfft2(one))[1:-1, 1:-1] for one in (image, other))
    np.testing.assert_allclose(a, b, rtol=2e-3, atol=1.0)
    assert np.corrcoef(image.ravel(), other.ravel())[0, 1] < 0.1


def test_candidates_are_dark_places_alone() -> None:
    image = np.zeros((128, 128), np.float64) + noise((128, 128), 2) * 0.05
    draw_discs(image, [(40.0, 64.0)], 1.0, 6.0)
    draw_discs(image, [(90.0, 64.0)], -1.0, 6.0)
    found = find_candidates(image.astype(np.float32), 0, PX)
    best = found.yx[found.height.argmax()]
    assert np.hypot(*(best - [64.0, 40.0])) < 1.0
    assert not (np.hypot(*(found.yx[found.height > 4] - [64.0, 90.0]).T) < 3.0).any()


def test_the_sentence_names_each_kind_that_is_missed() -> None:
    assert told_of([kind(0.9), kind(0.05)]) == (
        "found 2 kinds of repeated objects; mostly not picked: kind 2 (40 seen, 5% of them "
        "picked): look in the report whether that is a particle, and label some of it if so"
    )


def test_the_sentence_offers_what_is_missed_and_names_ice() -> None:
    three = [kind(0.05), kind(0.0, opposite=0.9), kind(0.2)]
    assert spelled(told_of(three, "J20")) == (
        "found 3 kinds of repeated objects, kind 2 being ice (a lattice); mostly not picked: "
        "kind 1 (40 seen, 5% of them picked), kind 3 (40 seen, 20% of them picked): look in the "
        "report whether that is a particle, and label some of it if so, or train with "
        "--include J20:1,3"
    )
    assert told_of([kind(0.0, opposite=0.9)], "J20") == (
        "found 1 kind of repeated objects, kind 1 being ice (a lattice)"
    )
    assert "the others are mostly picked" in told_of([kind(0.9), kind(0.0, opposite=0.9)])


def kind(picked: float, opposite: float = 0.1) -> Kind:
    """Return a kind of forty members."""
    yx, zeros = np.zeros((40, 2)), np.zeros(40)
    return Kind(zeros.astype(np.int64), yx, picked, 1.0, zeros, opposite)


def hexagonal(seed: int, spacing: float, shape: tuple[int, int]) -> np.ndarray:
    """Return places, (y, x), of two crystals side by side, each turned another way."""
    rng = np.random.default_rng(seed)
    h, w = shape
    found = []
    for left in (0.0, w / 2):
        turn = rng.uniform(0, np.pi / 3)
        i, j = (one.ravel() for one in np.mgrid[-40:41, -40:41])
        flat = spacing * np.stack([i + 0.5 * j, np.sqrt(0.75) * j], axis=1)
        across = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        yx = flat @ across + [h / 2, left + w / 4]
        inside = (yx >= [0, left]).all(1) & (yx < [h, left + w / 2]).all(1)
        found.append(yx[inside])
    return np.concatenate(found)


@pytest.mark.parametrize("there, jitter", [(1.0, 0.0), (0.85, 0.05)])
def test_places_on_lattices_have_others_opposite(there: float, jitter: float) -> None:
    rng = np.random.default_rng(1)
    pictures = []
    for seed in range(3):
        yx = hexagonal(seed, 20.0, SHAPE)
        yx = yx[rng.random(len(yx)) < there] + 0.0
        pictures.append((yx + 20.0 * jitter * rng.standard_normal(yx.shape), SHAPE))
    # a place is there with the probability ``there``, and lattices end at their borders
    assert opposite_excess([(yx, yx, s) for yx, s in pictures]) > 0.5


@pytest.mark.parametrize("apart", [0.0, 16.0, 21.0])
def test_places_that_only_keep_apart_have_few_opposite(apart: float) -> None:
    rng = np.random.default_rng(2)
    pictures = []
    for _ in range(3):
        tried = rng.uniform(0, SHAPE[0], (4000, 2))
        pictures.append((tried[first_within(tried, apart)][:200], SHAPE))
    assert abs(opposite_excess([(yx, yx, s) for yx, s in pictures])) < 0.1


def test_too_few_places_tell_of_no_lattice() -> None:
    few = hexagonal(0, 100.0, SHAPE)
    assert np.isnan(opposite_excess([(few, few, SHAPE)])) and np.isnan(opposite_excess([]))
    assert not kind(0.0, opposite=float("nan")).is_ice


def test_crystals_are_named_as_ice_and_not_as_missed() -> None:
    # only a part of each picture is crystal: of a picture full of one crystal the random phases
    # are one too, so that nothing is found in it
    pictures = []
    for seed in range(3):
        image = noise(SHAPE, seed).astype(np.float32)
        yx = hexagonal(seed, 24.0, (72, 200)) + np.array([140.0, 80.0])
        draw_discs(image, yx[:, ::-1], 2.0, 5.0, 2.0)
        pictures.append(Picture(str(seed), image, PX, np.zeros((0, 2))))
    kinds = search(pictures)
    assert kinds and all(one.is_ice and not one.is_missed for one in kinds)
