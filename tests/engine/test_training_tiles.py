"""Where tiles and their targets lie, on an image whose pixels say their own position."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frostpick.models.registry import build_network
from frostpick.sampling import Sampling
from frostpick.training.examples import Region, TrainingImage
from frostpick.training.picker.augment import Augmentation, augment, blur
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.validation_split import hold_out
from frostpick.training.tiles import (
    TileGeometry,
    TilePlan,
    TileSampler,
    mirrored,
    on_discs,
    random_turn,
    turn_tiles,
)

pytestmark = pytest.mark.quick

GEOMETRY = TileGeometry(outputs=5, stride=4, field=31, label_radius=5.0, guard=8.0)


def an_image(
    labels: list[tuple[float, float]], shape: tuple[int, int] = (120, 160), name: str = "m"
) -> TrainingImage:
    """Pixels hold 1000 * row + column; ``labels`` are (y, x)."""
    pixels = 1000.0 * np.arange(shape[0])[:, None] + np.arange(shape[1])[None, :]
    yx = np.array(labels, np.float64).reshape(-1, 2)
    grid = Sampling.identity(shape, 1.0)
    return TrainingImage(name, pixels.astype(np.float32), grid, yx, yx[:0])


def a_sampler(images: list[TrainingImage], **others: float) -> TileSampler:
    values = {"tiles": 6, "label_share": 0.5, "any_angle": 0.5, "seed": 4, **others}
    return TileSampler(images, GEOMETRY, **values)  # type: ignore[arg-type]


def test_geometry() -> None:
    network = build_network("conv31", {"units": 2})
    assert TileGeometry.of(network, 5, 5.0, 8.0) == GEOMETRY
    assert GEOMETRY.side == 31 + 16 == network.input_side(5)
    assert GEOMETRY.crop % 2 == 1 and GEOMETRY.crop >= GEOMETRY.side * 2**0.5
    assert GEOMETRY.offsets()[0, 4].tolist() == [-8.0, 8.0]
    assert GEOMETRY.offsets()[2, 2].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="odd"):
        TileGeometry(4, 4, 31, 5.0, 8.0)


def test_quarter_turns_move_pixels_exactly() -> None:
    sampler = a_sampler([an_image([(60.0, 70.0)])])
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(40):
        turn = random_turn(rng, any_angle=False)
        seen.add(tuple(turn.ravel()))
        plan = TilePlan(0, (61, 72), turn, by_label=True)
        tile = turn_tiles(
            torch.from_numpy(sampler.crops([plan])),
            torch.from_numpy(turn[None].astype(np.float32)),
            GEOMETRY.side,
        )[0, 0]
        half = (GEOMETRY.side - 1) // 2
        y, x = np.array([61, 72]) + turn @ np.array([-3, 7])
        assert tile[half - 3, half + 7].item() == pytest.approx(1000 * y + x, abs=0.3)
    assert len(seen) == 8


def test_targets_follow_a_label_off_centre_through_any_turn() -> None:
    label = (60.0, 70.0)
    image = an_image([label])
    rows, columns = np.indices(image.pixels.shape, np.float32)
    sampler = a_sampler([image])
    for k in range(12):
        turn = random_turn(np.random.default_rng(k), any_angle=k % 2 == 0)
        plan = TilePlan(0, (57, 77), turn, by_label=False)
        targets = sampler.targets([plan])
        place = []
        for pixels in (rows, columns):  # where each output looks, read off the tile itself
            of_places = a_sampler([TrainingImage(**{**vars(image), "pixels": pixels})])
            crops = torch.from_numpy(of_places.crops([plan]))
            tile = turn_tiles(crops, torch.from_numpy(turn[None].astype(np.float32)), 47)
            place.append(tile[0, 0, 15:32:4, 15:32:4].numpy())
        distance = np.hypot(place[0] - label[0], place[1] - label[1])
        assert targets.positive[0].any()
        clear = np.abs(distance - 5.0) > 1e-3
        assert ((distance < 5.0) == targets.positive[0])[clear].all()
        assert targets.unlabelled.all() and not targets.empty.any()


def test_locations_outside_the_image_or_held_out_are_not_used() -> None:
    region = Region(0, 0, 120, 60)
    held = an_image([(50.0, 30.0), (50.0, 64.0), (50.0, 100.0)])
    held = TrainingImage(**{**vars(held), "held_out": region})
    assert held.held_out_particles().tolist() == [[50.0, 30.0]]
    assert held.training_particles(8.0).tolist() == [[50.0, 100.0]]
    sampler = a_sampler([held])
    assert {label[1:] for label in sampler.labels} == {(50.0, 100.0)}
    plan = TilePlan(0, (50, 70), np.eye(2), by_label=False)
    columns = 70 + np.array([-8, -4, 0, 4, 8])
    assert sampler.targets([plan]).unlabelled[0].tolist() == [(columns >= 68).tolist()] * 5
    corner = TilePlan(0, (2, 158), np.eye(2), by_label=False)
    inside = (2 + np.array([-8, -4, 0, 4, 8]) >= 0)[:, None] & (
        158 + np.array([-8, -4, 0, 4, 8]) < 160
    )
    assert (sampler.targets([corner]).unlabelled[0] == inside).all()


def test_plans_come_from_seed_and_step_alone_and_visit_everything() -> None:
    images = [an_image([(20.0, 20.0), (90.0, 140.0)]), an_image([(60.0, 10.0)]), an_image([])]
    first = a_sampler(images)
    cells = len(first.cells)  # three of them a step: step 900 is on another walk
    assert 3 * 3 < cells < 3 * 900
    for step in (3, 0, 7, 900, 3):
        for a, b in zip(first.plan(step), a_sampler(images).plan(step), strict=True):
            assert (a.image, a.centre, a.by_label) == (b.image, b.centre, b.by_label)
            assert (a.turn == b.turn).all()
    # three label tiles a step and three labels: each label once a step
    by_label = [
        sum(p.image == k for p in first.plan(s) if p.by_label) for s in range(9) for k in (0, 1)
    ]
    assert by_label == [2, 1] * 9
    visits = [p.image for s in range(cells // 3) for p in first.plan(s) if not p.by_label]
    assert cells % 9 == 0 and [visits.count(k) for k in range(3)] == [cells // 3] * 3


def test_label_tiles_do_not_count_as_unlabelled() -> None:
    sampler = a_sampler([an_image([(60.0, 70.0)])])
    targets = sampler.targets(sampler.plan(0))
    assert not targets.unlabelled[:3].any() and targets.unlabelled[3:].any()
    assert targets.positive[:3].any((1, 2)).all()


def test_labelled_share_of_what_trains() -> None:
    whole = an_image([(60.0, 70.0), (20.0, 30.0)])
    # a held-out strip of 40 of 120 rows, with one of the two labels in it
    part = TrainingImage(**{**vars(whole), "held_out": Region(0.0, 0.0, 40.0, 160.0)})
    sampler = a_sampler([whole, part])
    discs, area = 3 * np.pi * 5.0**2, 120 * 160 + 80 * 160
    assert sampler.labelled_share == pytest.approx(discs / area)


def test_known_empty_places() -> None:
    image = an_image([(60.0, 70.0)])
    empty = np.array([[float(y), 20.0] for y in range(10, 110, 4)])
    sampler = a_sampler([TrainingImage(**{**vars(image), "empty_yx": empty})])
    for step in range(8):
        targets = sampler.targets(sampler.plan(step))
        assert targets.positive[0].any() and targets.empty[1:3].any()
        assert not (targets.positive & targets.empty).any()


def test_mirrored_and_discs() -> None:
    assert mirrored(np.arange(-3, 7), 4).tolist() == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    places = np.stack(np.meshgrid([0.0, 3.0], [0.0, 4.0], indexing="ij"), axis=-1)
    hit = on_discs(places, np.array([[0.0, 0.0]]), 4.0)
    assert hit.tolist() == [[True, True], [True, False]]


def test_augmentation() -> None:
    tiles = torch.zeros(3, 1, 21, 21)
    tiles[:, 0, 10, 10] = 1.0
    off = augment(tiles, Augmentation(0, 0, 0, 0), torch.Generator().manual_seed(1))
    assert torch.equal(off, tiles)
    a = augment(tiles, Augmentation(), torch.Generator().manual_seed(1))
    b = augment(tiles, Augmentation(), torch.Generator().manual_seed(1))
    assert torch.equal(a, b) and not torch.equal(a[0], a[1])
    blurred = blur(tiles, torch.tensor([0.0, 1.0, 0.5]))
    assert torch.equal(blurred[0], tiles[0])
    assert blurred.sum((1, 2, 3)).tolist() == pytest.approx([1.0, 1.0, 1.0], abs=1e-6)
    # a Gaussian of 1 pixel cut at 3: exp(-1/2) between neighbours
    assert (blurred[1, 0, 10, 11] / blurred[1, 0, 10, 10]).item() == pytest.approx(np.exp(-0.5))


def test_what_is_held_out() -> None:
    rng = np.random.default_rng(0)

    def labelled(n: int, name: str = "m") -> TrainingImage:
        points = [(float(y), float(x)) for y, x in rng.uniform(0, (120, 160), (n, 2))]
        return an_image(points, name=name)

    many = hold_out([labelled(20, f"m{k}") for k in range(10)] + [labelled(0)], 3, 8.0, fewest=30)
    assert many.kind == "micrographs"
    assert sum(not image.trains for image in many.images) == 2
    assert sum(len(image.held_out_particles()) for image in many.images) == 40
    strips = hold_out([labelled(100)], 3, 8.0, fewest=30)
    assert strips.kind == "blocks" and len(strips.images[0].held_out_particles()) == 20
    assert strips.images[0].trains and len(strips.images[0].training_particles(8.0)) < 80
    few = hold_out([labelled(7) for _ in range(4)], 3, 8.0, fewest=30)
    assert few.kind == "none" and "28 labels" in few.text
    assert all(image.held_out is None for image in few.images)


def test_a_model_that_is_trained_further_keeps_fifty_labels_for_training() -> None:
    images = [an_image([(20.0 + 20 * k, 60.0) for k in range(5)], name=f"m{n}") for n in range(10)]
    recipe = Recipe()
    from_nothing = hold_out(images, 3, 8.0, fewest=recipe.fewest_held_out(tuning=False))
    further = hold_out(images, 3, 8.0, fewest=recipe.fewest_held_out(tuning=True))
    assert sum(len(image.held_out_particles()) for image in from_nothing.images) == 10
    assert sum(len(image.held_out_particles()) for image in further.images) == 0
    more = hold_out(images * 2, 3, 8.0, fewest=recipe.fewest_held_out(tuning=True))
    assert sum(len(image.held_out_particles()) for image in more.images) == 20


def test_labels_that_could_be_learned_by_heart_weigh_less() -> None:
    recipe = Recipe()
    assert recipe.label_weight(15, tuning=True) == pytest.approx(15 / 75)
    assert recipe.label_weight(50, tuning=True) == 0.25
    assert recipe.label_weight(140, tuning=True) == pytest.approx(140 / 200)
    assert recipe.label_weight(50, tuning=False) == pytest.approx(50 / 110)
