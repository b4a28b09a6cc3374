"""Labels that show some of the views alone are told of; a fair sample of the picks is not."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import draw_discs, noise, places_apart

from frostpick.sampling import Sampling
from frostpick.training.examples import TrainingImage
from frostpick.training.picker import label_views
from frostpick.training.picker.label_views import compare_views
from frostpick.training.picker.soft_labels import GivenSoftLabels
from frostpick.types import Picks

PX = 16.0
SHAPE = (260, 260)
#: Numbers of the rings and of the discs of `picked_images` on each image.
RINGS, DISCS = np.arange(12), np.arange(12, 24)


@pytest.fixture(scope="module")
def places() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return four images with 12 rings and 12 small discs, and where they are: ``(24, 2)`` y, x."""
    made = []
    for seed in range(4):
        xy = places_apart(np.random.default_rng(seed), SHAPE, 24, 16.0, 26.0)
        image = noise(SHAPE, seed)
        draw_discs(image, xy[RINGS], 2.0, 6.0, 3.0)
        draw_discs(image, xy[DISCS], 2.0, 3.5)
        made.append((image.astype(np.float32), xy[:, ::-1].copy()))
    return made


def compared(
    places: list[tuple[np.ndarray, np.ndarray]], labelled: np.ndarray, seed: int = 0
) -> label_views.LabelViews:
    """Compare labels on some of the first image's particles with picks on all."""
    images, picks = [], {}
    for k, (pixels, yx) in enumerate(places):
        own = yx[labelled] if k == 0 else yx[:0]
        grid = Sampling.identity(SHAPE, 1.0)
        images.append(TrainingImage(str(k), pixels, grid, own, yx[:0]))
        picks[str(k)] = Picks.from_xy(
            str(k), yx[:, 1] + 1.0, yx[:, 0], probability=np.full(len(yx), 0.9)
        )
    return compare_views(images, GivenSoftLabels(picks), PX, seed)


@pytest.mark.parametrize(("labelled", "name"), [(RINGS, "rings"), (DISCS, "discs")])
def test_labels_of_one_view_of_two_are_told_of(
    places: list[tuple[np.ndarray, np.ndarray]],
    labelled: np.ndarray,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = compared(places, labelled)
    assert found.partial, name
    # half of what is picked is of the other look, and no label is
    assert found.told["labels"] == 12 and found.told["picks"] == 96
    assert found.told["in_look"] <= 1
    assert found.told["share"] == pytest.approx(0.5, abs=0.1)
    assert len(found.boxes) == 16 and found.boxes[0].shape == (25, 25)
    assert "only some of the views" in caplog.text


def test_labels_of_both_views_are_not() -> None:
    rng = np.random.default_rng(8)
    looks, other = rng.normal(0, 1, (200, 30)), rng.normal(0, 1, (500, 30))
    looks[:100, :5] += 3.0
    told_of = 0
    for _ in range(40):
        labelled = np.sort(rng.choice(200, 15, replace=False))
        told, _ = label_views.permutation_test(
            looks.astype(np.float32),
            other.astype(np.float32),
            labelled,
            rng,
            image=np.arange(200) // 50,
            probability=np.full(200, 0.9),
        )
        told_of += min(told["p_looks"], told["p_group"]) < label_views.LEVEL
    # two tests of 2 in 100 each: at most 4 in 100 are expected, 1.6 of 40; 7 are by chance in 1
    # of 700
    assert told_of < 7


def test_few_labels_say_nothing(places: list[tuple[np.ndarray, np.ndarray]]) -> None:
    found = compared(places, RINGS[:5])
    assert not found.partial and found.told == {}


def test_labels_where_nothing_is_picked_say_nothing(
    places: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    images = [
        TrainingImage(
            "0", places[0][0], Sampling.identity(SHAPE, 1.0), places[0][1], np.zeros((0, 2))
        )
    ]
    assert compare_views(images, GivenSoftLabels({}), PX, 0).told == {}


def test_energy_distance_by_hand() -> None:
    # points 0, 1 against 3: 2 x 2.5 - 0.5 - 0 = 4.5
    at = np.array([0.0, 1.0, 3.0])
    apart = np.abs(at[:, None] - at[None])
    assert label_views._energy(apart, np.array([[0, 1]])) == pytest.approx([4.5])


def test_the_same_labels_come_to_the_same(places: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assert compared(places, RINGS).told == compared(places, RINGS).told
