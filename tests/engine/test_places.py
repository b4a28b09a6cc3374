"""Positions and images: every wrong reading is told, right and faint ones are left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from made_images import draw_discs, places_apart
from numpy.typing import NDArray

from frostpick.picking.places import CLEAR, FEWEST, Looked, judge, look, reach, weigh
from frostpick.picking.readings import EXCHANGED, GIVEN, MIRRORED, Reading, filling

SHAPE, PIXEL_A, DIAMETER_A = (230, 310), 4.0, 80.0
Places = NDArray[np.float64]


def scene(
    number: int, amplitude: float = -0.8, hollow: bool = False, count: int = 24
) -> tuple[NDArray[np.float32], Places]:
    """Return discs or rings of 20 px on noise, and where they are, in no symmetry."""
    rng = np.random.default_rng([number, 5])
    image = rng.normal(size=SHAPE)
    xy = places_apart(rng, SHAPE, count, 10, 28)
    draw_discs(image, xy, -amplitude, 10, 7 if hollow else -1)
    return image.astype(np.float32), xy


def seen(*images: tuple[NDArray[np.float32], Places]) -> list[Looked]:
    return [look(image, PIXEL_A, DIAMETER_A, xy, "m") for image, xy in images]


WRONG: dict[str, tuple[Callable[[Places], Places], Reading]] = {
    "upside down": (lambda xy: np.column_stack([xy[:, 0], 229 - xy[:, 1]]), MIRRORED),
    "exchanged": (lambda xy: xy[:, ::-1], EXCHANGED),
    "binned by 2": (lambda xy: xy / 2, Reading("scaled", 2.0)),
    "binned by 4": (lambda xy: xy / 4, Reading("scaled", 4.0)),
    "of twice the pixels": (lambda xy: xy * 2, Reading("scaled", 0.5)),
    "of four times the pixels": (lambda xy: xy * 4, Reading("scaled", 0.25)),
}


@pytest.fixture(scope="module")
def discs() -> list[Looked]:
    return seen(scene(0), scene(1))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_reading_is_told(discs: list[Looked], name: str) -> None:
    change, right = WRONG[name]
    found = judge([replace(one, xy=change(one.xy)) for one in discs])
    assert found.reading == right
    assert found.best > 2 * CLEAR > found.given * 2


def test_right_positions_are_left_alone(discs: list[Looked]) -> None:
    found = judge(discs)
    assert found.reading is None and found.given == found.best > 2 * CLEAR
    assert (found.positions, found.micrographs, found.outside) == (48, 2, 0)
    assert 0.9 < found.reach < 1


def test_a_scale_that_no_camera_has(discs: list[Looked]) -> None:
    found = judge([replace(one, xy=one.xy / 2.7) for one in discs])
    assert found.reading is not None and found.reading.kind == "scaled"
    assert found.reading.ratio == pytest.approx(2.7, rel=0.02)


@pytest.mark.parametrize(("amplitude", "hollow"), [(0.8, False), (-1.2, True), (1.2, True)])
def test_light_and_hollow_particles(amplitude: float, hollow: bool) -> None:
    image, xy = scene(2, amplitude, hollow)
    assert judge(seen((image, xy[:, ::-1]))).reading == EXCHANGED
    assert judge(seen((image, xy))).reading is None


@pytest.mark.parametrize("name", ["as they are", *WRONG])
def test_faint_particles_say_nothing(name: str) -> None:
    image, xy = scene(3, amplitude=-0.02)
    change = WRONG[name][0] if name in WRONG else lambda one: one
    found = judge(seen((image, change(xy))))
    assert found.reading is None and found.best < CLEAR


def test_few_positions_say_nothing(discs: list[Looked]) -> None:
    one = replace(discs[0], xy=discs[0].xy[: FEWEST - 1, ::-1])
    assert judge([one]).reading is None and weigh([one], EXCHANGED) == 0
    assert judge([replace(one, xy=np.zeros((0, 2)))]).given == 0


def test_positions_at_random_fit_in_no_reading(discs: list[Looked]) -> None:
    rng = np.random.default_rng(8)
    for count in (5, 15, 100) * 8:
        places = [replace(one, xy=rng.uniform(0, SHAPE[::-1], (count, 2))) for one in discs]
        assert judge(places).reading is None


def test_positions_in_a_row_or_in_one_place_are_no_evidence() -> None:
    """Neighbours see the same noise: they count as little as they are worth."""
    image = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)
    line = np.column_stack([np.arange(60.0) * 3 + 40, np.full(60, 90.0)])
    for xy in (line, np.tile([[50.0, 70.0]], (60, 1))):
        assert judge(seen((image, xy))).best < CLEAR


def test_an_image_without_grey_levels() -> None:
    looked = replace(seen(scene(0))[0], xy=scene(0)[1])
    nothing = replace(looked, rings=np.zeros_like(looked.rings))
    assert judge([nothing]).given == 0 and judge([nothing]).reading is None


def test_readings_of_known_places() -> None:
    """By hand, on an image of 100 rows and 200 columns."""
    xy = np.array([[10.0, 20.0], [150.0, 0.0]])
    assert GIVEN.places(xy, (100, 200)).tolist() == xy.tolist()
    assert MIRRORED.places(xy, (100, 200)).tolist() == [[10.0, 79.0], [150.0, 99.0]]
    assert EXCHANGED.places(xy, (100, 200)).tolist() == [[20.0, 10.0], [0.0, 150.0]]
    assert Reading("scaled", 4.0).places(xy, (100, 200)).tolist() == [[40.0, 80.0], [600.0, 0.0]]


def test_scales_at_which_positions_fill_the_image(discs: list[Looked]) -> None:
    assert filling(0.9) == [] == filling(0.0)
    ratios = [one.ratio for one in filling(0.25)]
    assert min(ratios) == pytest.approx(3.2) and max(ratios) >= 4.0
    assert min(one.ratio for one in filling(3.0)) == pytest.approx(0.8 / 3)
    image = replace(discs[0], shape=(100, 200), xy=np.array([[50.0, 40.0], [20.0, 70.0]]))
    assert reach([image]) == pytest.approx(0.7)
