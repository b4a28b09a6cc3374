"""What labels are worth: shares known by construction, weights by hand sums."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from frostpick.iterating.judge_first import judge_first
from frostpick.models.card import PreprocessSpec
from frostpick.models.shipped import load_model
from frostpick.picking.emptiness import likeliest_share
from frostpick.preprocess import preprocess
from frostpick.runtime.reporter import SilentReporter
from frostpick.sampling import Sampling
from frostpick.settings import TrainSettings
from frostpick.simulate import SimulationSettings, random_protein, simulate_micrograph, write_mrc
from frostpick.training.digests import labels_digest, worth_digest
from frostpick.training.examples import Region, TrainingImage
from frostpick.training.measure import Found
from frostpick.training.picker.compared import compare_with_start
from frostpick.training.picker.judged_labels import (
    REPEAT,
    JudgedLabels,
    found_nothing,
    judge_labels,
    labels_judged,
    teach_nothing,
    weigh,
    with_worth,
    without_labels,
)
from frostpick.training.picker.label_evidence import Places
from frostpick.training.picker.objectives import ge_binomial, ge_kl, nnpu, pn
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.repeats import distinct_share, like, stand_out
from frostpick.training.picker.soft_labels import BY_HAND, sureness
from frostpick.training.picker.train import TrainingResult, train_picker
from frostpick.training.tiles import TileGeometry, TilePlan, TileSampler
from frostpick.types import Labels, LocalFile, Micrograph

RNG = np.random.default_rng
WANTED = SimulationSettings(
    seed=41, size=512, diameter_A=150.0, family="hollow", symmetry="C3", micrographs=2
)


def places(
    probability: NDArray[np.float64], look: NDArray[np.float64], answer: float, seed: int
) -> Places:
    """Places on 8 images whose features are ``look`` and noise of deviation 1."""
    n, rng = len(probability), RNG(seed)
    return Places(
        np.arange(n) % 8,
        rng.uniform(0, 100, (n, 2)),
        probability,
        rng.normal(answer, 1.0, n),
        (look + rng.normal(0, 1, (n, 30))).astype(np.float32),
    )


NOTHING = np.zeros(30)
VIEW = np.where(np.arange(30) % 6 == 0, 1.5, 0.0)


def test_share_of_sure_ones_is_their_fraction() -> None:
    assert likeliest_share(np.repeat([1e9, 1e-9], [30, 170])) == pytest.approx(0.15, abs=1e-6)
    assert likeliest_share(np.full(50, 0.5)) == 0.0
    assert likeliest_share(np.full(50, 2.0)) == 1.0
    # two ratios, 4 and 1/2: 3 / (1 + 3 s) = .5 / (1 - .5 s), by hand s = 5/6
    assert likeliest_share(np.array([4.0, 0.5])) == pytest.approx(5 / 6, abs=1e-6)


def test_labels_in_noise_are_told_from_labels_that_repeat() -> None:
    others = places(np.full(2000, 0.001), NOTHING, 2.0, 1)
    noise = places(np.full(400, 0.001), NOTHING, 2.5, 2)
    view = places(np.full(400, 0.001), VIEW, 2.5, 3)
    assert distinct_share(noise, others, 0) < 0.1
    assert distinct_share(view, others, 0) > 0.9
    # a share of one in three, from noise with a view among it
    both = Places.concat([view.keep(np.arange(200)), noise])
    assert 0.15 < distinct_share(both, others, 0) < 0.45
    assert distinct_share(view, others.keep(np.arange(3)), 0) == 0.0  # nothing to compare with


def test_labels_of_one_image_are_asked_too() -> None:
    others = places(np.full(600, 0.001), NOTHING, 2.0, 1)
    view = places(np.full(60, 0.001), VIEW, 2.0, 3)
    one = replace(view, image=np.zeros(60, np.int64))
    # the features overlap, and sixty labels teach thirty of them roughly
    assert distinct_share(one, replace(others, image=np.zeros(600, np.int64)), 0) >= REPEAT


def test_others_answer_as_labels_do() -> None:
    wanted, found = RNG(1).normal(3, 1, 300), RNG(2).normal(1, 2, 5000)
    taken = found[like(wanted, found, RNG(3))]
    assert taken.mean() == pytest.approx(wanted.mean(), abs=0.2)
    assert len(taken) <= 600
    assert not len(like(np.zeros(0), found, RNG(3)))


def test_noise_is_set_aside_and_what_repeats_counts_fully() -> None:
    others = places(np.full(2000, 0.001), NOTHING, 2.5, 1)
    sure = places(np.full(80, 0.99), VIEW, 2.5, 4)
    noise = places(np.full(420, 0.001), NOTHING, 2.5, 2)
    told, worth = weigh(Places.concat([sure, noise]), others, 0.9, 0)
    assert told["share"] == pytest.approx(0.16, abs=0.01) and not told["all_count"]
    assert (worth[:80] > 0.95).all() and (worth[80:] < 0.05).all()
    assert "of 500 labels about 16 % look like particles; 420 are set aside" in told["text"]

    unseen = places(np.full(420, 0.001), -VIEW, 2.5, 5)
    told, worth = weigh(Places.concat([sure, unseen]), others, 0.9, 0)
    assert told["all_count"] and (worth == 1.0).all()
    assert "resemble each other" in told["text"] and told["repeat"] > 0.9


def test_labels_darker_than_any_other_place_count_fully() -> None:
    # others 0 to 4 with a median of 2: nine tenths of the labels must lie above 4 + (4 - 2) / 2
    others = np.linspace(0.0, 4.0, 41)
    assert stand_out(np.repeat([4.0, 5.1], [9, 91]), others)
    assert not stand_out(np.repeat([4.9, 5.1], [11, 89]), others)
    assert not stand_out(np.full(50, 9.0), others[:7])  # nothing to compare with
    dark = places(np.full(420, 0.001), NOTHING, 9.0, 2)
    told, worth = weigh(dark, places(np.full(2000, 0.001), NOTHING, 0.0, 1), 0.9, 0)
    assert told["all_count"] and (worth == 1.0).all() and "darker than any" in told["text"]


def test_good_labels_and_few_doubtful_ones_count_fully() -> None:
    others = places(np.full(2000, 0.001), NOTHING, 2.5, 1)
    good = places(np.repeat([0.9, 0.6, 0.1], [80, 15, 5]), VIEW, 2.5, 4)
    told, worth = weigh(good, others, 0.9, 0)
    assert told["share"] >= 0.9 and told["all_count"] and (worth == 1.0).all()
    few = places(np.repeat([0.9, 0.001], [40, 20]), NOTHING, 2.5, 4)
    told, worth = weigh(few, others, 0.9, 0)
    assert told["all_count"] and (worth == 1.0).all() and "too few" in told["text"]
    assert told["share"] == pytest.approx(2 / 3, abs=0.02)


def test_a_judge_that_does_not_know_the_particle_sets_nothing_aside() -> None:
    """Labels as of a view that the judge scores low: doubtful by their scores, and no noise."""
    rng = RNG(8)
    others = places(rng.permutation(np.repeat([0.001, 0.01, 0.2], [1800, 150, 50])), NOTHING, 2, 1)
    # 100 labels as nothing of 400: 100 / 400 over .9 is .278; of 480, 180 / 480 over .9 is .417
    low = places(np.repeat([0.001, 0.05, 0.3], [100, 250, 50]), NOTHING, 2.5, 2)
    assert found_nothing(low, others) == pytest.approx(0.278, abs=0.001)
    told, worth = weigh(low, others, 0.9, 0)
    assert told["share"] < 0.3 and told["all_count"] and (worth == 1.0).all()
    assert "at no more than 28% of them" in told["text"]
    lower = places(np.repeat([0.001, 0.05, 0.3], [180, 250, 50]), NOTHING, 2.5, 2)
    assert found_nothing(lower, others) == pytest.approx(0.417, abs=0.001)
    told, worth = weigh(lower, others, 0.6, 0)
    assert told["all_count"] and (worth == 1.0).all() and "unsure of its own picks" in told["text"]
    told, worth = weigh(lower, others, 0.9, 0)
    assert not told["all_count"] and (worth < 0.5).any()


def test_sureness_weighs_picks_by_their_probability() -> None:
    # (.81 + .01) / (.9 + .1)
    assert sureness(np.array([0.9, 0.1])) == pytest.approx(0.82)
    assert sureness(np.zeros(0)) == 0.0


def an_image(name: str, yx: list[tuple[float, float]], *, complete: bool = False) -> TrainingImage:
    pixels = RNG(1).normal(0, 1, (120, 120)).astype(np.float32)
    at = np.array(yx, np.float64).reshape(-1, 2)
    grid = Sampling.identity((120, 120), 1.0).child((120, 120), (1.0, 1.0), (0.0, 0.0))
    return TrainingImage(name, pixels, grid, at, at[:0], complete)


def test_images_keep_what_is_worth_half_and_more() -> None:
    images = [an_image("a", [(10, 10), (50, 50), (90, 90)], complete=True), an_image("b", [])]
    images.append(an_image("c", [(60, 60)]))
    kept = with_worth(images, np.array([0, 0, 0, 2]), np.array([0.9, 0.2, 0.5, 1.0]))
    assert kept[0].particles_yx.tolist() == [[10, 10], [90, 90]]
    assert kept[0].training_worth(5.0).tolist() == [0.9, 0.5] and not kept[0].complete
    held = replace(kept[0], held_out=Region(0, 0, 30, 120))
    assert held.training_worth(5.0).tolist() == [0.5]
    assert kept[2].training_worth(5.0).tolist() == [1.0]
    assert worth_digest(kept) != worth_digest(images)
    none = without_labels(
        JudgedLabels(kept, {"text": "of 4 labels 2; 2 are set aside"}, changed=True)
    )
    assert none.told["text"] == "of 4 labels 2; none of them is learned from"
    assert not any(len(one.particles_yx) for one in none.images)


def test_labels_teach_nothing_where_most_are_none_or_few_are_left() -> None:
    assert teach_nothing(0.6, 5000) and not teach_nothing(0.7, 5000)
    assert teach_nothing(0.9, 49) and not teach_nothing(0.9, 50)


def test_labels_carry_what_they_are_worth() -> None:
    # in a row: two particles, a place that is none, and a particle off the image
    labels = {"a": Labels.from_xy("a", [10, 50, 70, 999], [10, 50, 20, 5], sign=[1, 1, -1, 1])}
    other = Labels.from_xy("z", [1.0], [2.0])
    images = with_worth([an_image("a", [(10, 10), (50, 50)])], np.zeros(2, int), np.array([0.7, 0]))
    found = labels_judged({**labels, "z": other}, JudgedLabels(images, {}, changed=True))
    assert found["a"].x_px.tolist() == [10, 70] and found["a"].worth.tolist() == [0.7, 1.0]
    assert found["z"] is other
    same = replace(found["a"], worth=np.ones(2))
    assert labels_digest({"a": found["a"]}) != labels_digest({"a": same})
    assert labels_digest({"a": same}) == labels_digest({"a": replace(same, worth=None)})


def test_tiles_know_what_their_labels_are_worth() -> None:
    image = replace(an_image("a", [(40, 40), (40, 60)]), worth=np.array([0.5, 1.0]))
    geometry = TileGeometry(outputs=5, stride=4, field=31, label_radius=5.0, guard=8.0)
    kept = {"tiles": 4, "label_share": 0.5, "any_angle": 0.0, "seed": 4}
    sampler = TileSampler([image], geometry, **kept)
    assert sampler.labelled_share == pytest.approx(1.5 * np.pi * 25 / 120**2)
    targets = sampler.targets([TilePlan(0, (40, 46), np.eye(2), by_label=False)])
    assert targets.worth is not None
    # outputs of the middle row lie at x = 38, 42, 46, 50, 54
    assert targets.worth[0, 2].tolist() == [0.5, 0.5, 0.0, 0.0, 0.0]
    at = sampler.targets([TilePlan(0, (40, 52), np.eye(2), by_label=False)])
    assert at.worth is not None and at.worth[0, 2].tolist() == [0.5, 0.0, 0.0, 1.0, 1.0]
    whole = TileSampler([replace(image, worth=np.ones(2))], geometry, **kept)
    assert whole.targets([TilePlan(0, (40, 46), np.eye(2), by_label=False)]).worth is None
    assert whole.labelled_share == 2 * np.pi * 25 / 120**2


@pytest.mark.parametrize("objective", [pn, nnpu, ge_kl, ge_binomial])
def test_a_label_of_twice_the_worth_counts_twice(objective: object) -> None:
    assert callable(objective)
    unlabelled = torch.tensor([-2.0, -1.0, 0.5, -3.0])
    weighed = objective(torch.tensor([1.0, -1.0]), unlabelled, 0.2, worth=torch.tensor([1.0, 0.5]))
    repeated = objective(torch.tensor([1.0, 1.0, -1.0]), unlabelled, 0.2)
    assert float(weighed) == pytest.approx(float(repeated), rel=1e-6)


def a_micrograph(index: int) -> tuple[TrainingImage, NDArray[np.float64]]:
    """Simulate a micrograph; return its working image, and where its particles are in it."""
    made = simulate_micrograph(random_protein(WANTED), WANTED, index)
    working = preprocess(
        made.image, made.pixel_size_A, 150.0, PreprocessSpec(), px_per_diameter=32.0
    )
    whole = made.truth.particles
    yx = working.sampling.from_parent(np.stack([whole.y_px, whole.x_px], axis=1)[~whole.edge])
    pixels = working.data.numpy()
    return TrainingImage(made.name, pixels, working.sampling, yx, yx[:0]), yx


def test_marks_in_noise_are_found_on_micrographs(caplog: pytest.LogCaptureFixture) -> None:
    images, true = [], []
    for index in range(2):
        image, yx = a_micrograph(index)
        rng = RNG(index)
        marks = rng.uniform(20, np.array(image.pixels.shape) - 20, (4 * len(yx), 2))
        apart = np.hypot(*(marks[:, None] - yx[None]).transpose(2, 0, 1)).min(1) > 24
        images.append(replace(image, particles_yx=np.concatenate([yx, marks[apart]])))
        true.append(np.arange(len(yx) + apart.sum()) < len(yx))
    is_true = np.concatenate(true)
    with caplog.at_level(logging.WARNING):
        judged = judge_labels(
            images, load_model("general"), torch.device("cpu"), SilentReporter(), 0
        )
    assert judged.changed and judged.useless and "set aside" in caplog.text
    assert judged.told["share"] == pytest.approx(is_true.mean(), abs=0.1)
    kept = np.concatenate([one.particles_yx for one in judged.images])
    every = np.concatenate([one.particles_yx for one in images])
    stays = np.array([(kept == at).all(1).any() for at in every])
    assert stays[is_true].mean() > 0.7 and stays[~is_true].mean() < 0.1
    assert len(judged.boxes) == len(judged.captions) == 10
    assert judged.boxes[0].shape == (49, 49) and judged.captions[0].startswith("p = 0.00")


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Micrograph], dict[str, Labels]]:
    """Two micrographs on disk with every whole particle labelled, 60 and more."""
    folder = tmp_path_factory.mktemp("micrographs")
    micrographs, labels = [], {}
    for index in range(2):
        made = simulate_micrograph(random_protein(WANTED), WANTED, index)
        path = folder / f"{made.name}.mrc"
        write_mrc(path, made.image, made.pixel_size_A)
        micrographs.append(Micrograph(path.name, LocalFile(path), made.pixel_size_A))
        whole = made.truth.particles
        labels[path.name] = Labels.from_xy(
            path.name, whole.x_px[~whole.edge], whole.y_px[~whole.edge]
        )
    assert sum(map(len, labels.values())) >= BY_HAND
    return micrographs, labels


def with_noise(labels: dict[str, Labels]) -> dict[str, Labels]:
    """Return labels with four marks at random places for each."""
    more = {}
    for seed, (name, one) in enumerate(labels.items()):
        x, y = RNG(seed).uniform(20, WANTED.size - 20, (2, 4 * len(one)))
        more[name] = Labels.from_xy(
            name, np.concatenate([one.x_px, x]), np.concatenate([one.y_px, y])
        )
    return more


def trained(
    data: tuple[list[Micrograph], dict[str, Labels]], spool: Path, weights: str
) -> TrainingResult:
    settings = TrainSettings.model_validate(
        {"diameter": 150.0, "device": "cpu", "threads": 1, "label_weights": weights}
    )
    recipe = Recipe(epoch_steps=2, tuning_epochs=1, tiles=2, outputs=5, passes=1)
    return train_picker(
        *data,
        settings,
        start=load_model("general"),
        spool=spool,
        reporter=SilentReporter(),
        recipe=recipe,
    )


def test_good_labels_train_the_same_model_to_the_byte(
    marked: tuple[list[Micrograph], dict[str, Labels]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        auto = trained(marked, tmp_path / "auto", "auto")
    assert "all count fully" in caplog.text and auto.summary["judged_labels"]["share"] >= 0.9
    trust = trained(marked, tmp_path / "trust", "trust")
    assert auto.model.digest == trust.model.digest and trust.summary["judged_labels"] == {}


def test_noise_among_labels_does_not_train(
    marked: tuple[list[Micrograph], dict[str, Labels]], tmp_path: Path
) -> None:
    micrographs, labels = marked
    noisy, count = with_noise(labels), sum(map(len, labels.values()))
    result = trained((micrographs, noisy), tmp_path / "train", "auto")
    told = result.summary["judged_labels"]
    assert told["labels"] == 5 * count and told["share"] == pytest.approx(0.2, abs=0.08)
    assert result.summary["labels"] == 0 and told["text"].endswith("none of them is learned from")
    # rounds judge once, before any label is held out to compare them by
    settings = TrainSettings(diameter=150.0, device="cpu", threads=1)
    general = load_model("general")
    given = (micrographs, noisy, settings, general, Recipe(), tmp_path / "rounds", SilentReporter())
    left, judged = judge_first(*given, general)
    assert left == {} and judged.told == told
    # from nothing there are no picks of a start to learn from: what is left teaches
    left, _ = judge_first(*given, None)
    assert 0.6 * count < sum(map(len, left.values())) < 1.5 * count
    assert all((one.worth >= 0.5).all() and (one.worth < 1).any() for one in left.values())
    assert list(tmp_path.iterdir()) == [tmp_path / "train"]


class Compared:
    """A course whose networks find held-out labels as told."""

    device = torch.device("cpu")

    def __init__(self, own: float, start: float, held: int) -> None:
        at = [(y, x) for y in range(5, 115, 10) for x in range(5, 115, 10)][:held]
        image = an_image("a", at)
        self.parts = [(replace(image, held_out=image.whole), image.whole)]
        self.shares = {"own": own, "start": start}

    def held_out_parts(self) -> list[tuple[TrainingImage, Region]]:
        return self.parts

    def network(self) -> str:
        return "own"

    def looking(self, network: object, selector: object = None) -> str:
        return "own" if network == "own" else "start"

    def find(self, look: str, parts: object) -> Found:
        """The first picks are labels, as many of the hundred as told, none of the rest is."""
        matched = np.arange(100) < 100 * self.shares[look]
        return Found(-np.arange(100.0), matched, np.zeros(100))


@pytest.mark.parametrize(
    ("own", "start", "held", "warned"),
    [(0.5, 0.8, 30, True), (0.78, 0.8, 30, False), (0.9, 0.8, 30, False), (0.1, 0.8, 19, False)],
)
def test_a_model_that_got_worse_is_told(
    own: float, start: float, held: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    course: Any = Compared(own, start, held)
    found = compare_with_start(course, load_model("general"))
    assert ("IS WORSE" in caplog.text) is warned
    expected = {"held_out_ap": own, "start_held_out_ap": start} if held >= 20 else {}
    assert found == pytest.approx(expected)
    assert compare_with_start(course, None) == {}
