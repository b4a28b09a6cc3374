"""What occurs again and again is found without a model; noise and one-off things are not."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import draw_discs, noise, places_apart

from frostpick.repeated.candidates import centred, find_candidates, phase_randomised
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
    assert all(kind.picked == 0.0 and kind.is_missed for kind in kinds)
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
    at = np.zeros((40, 2)), np.zeros(40, np.int64)
    kinds = [Kind(at[1], at[0], 0.9, 1.0), Kind(at[1], at[0], 0.05, 1.0)]
    assert told_of(kinds) == (
        "found 2 kinds of repeated objects; mostly not picked: kind 2 (40 seen, 5% of them "
        "picked): look in the report whether that is a particle, and label some of it if so"
    )
