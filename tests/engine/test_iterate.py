"""Rounds of iterative training: what becomes a label, what judges, what is kept and resumed."""

from __future__ import annotations

import json
import logging
import math
import shutil
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from made_images import draw_discs, places_apart, write_mrc
from scipy.ndimage import rotate, shift
from tiny_pruner import tiny_pruner

from frostpick.errors import ConfigError, DeviceError, JobStopped
from frostpick.iterating import run_round
from frostpick.iterating.iterate import IterationResult, iterate_picker, run_rounds
from frostpick.iterating.pick_and_verify import VerifiedPicks, pick_and_verify
from frostpick.iterating.pruner_score import PrunerScore
from frostpick.iterating.validation_split import (
    EVERYTHING,
    Strip,
    ValidationSplit,
    hold_out_labels,
    is_worse,
)
from frostpick.iterating.verification import (
    SureRule,
    gate_of,
    joint_score,
    sort_picks,
    verify_picks,
)
from frostpick.iterating.views import divergence, view_shares
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import shipped
from frostpick.picking.plan import plan_picking
from frostpick.picking.work import pick_micrographs
from frostpick.report.rounds import round_figures
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.executors.processes import ProcessExecutor
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import IterateSettings, PickSettings
from frostpick.training.picker.recipe import Recipe
from frostpick.training.view_features import view_features
from frostpick.types import Labels, LocalFile, Micrograph

DIAMETER_PX, PIXEL_A, SIDE = 16.0, 4.0, (180, 200)
DIAMETER_A = DIAMETER_PX * PIXEL_A
#: For networks that have hardly learned.
RULE = SureRule(confident=0.8, spread=0.15)
SHORT = Recipe(units=4, epoch_steps=20, epochs=3, few_epochs=3, tiles=4, outputs=9, rate=1e-2)


def found(
    xy: Any, score: Any, *, names: Any = ("m0",), micrograph: Any = None, **others: Any
) -> VerifiedPicks:
    """Return picks of micrographs of 100 x 100 pixels of 1 Angstrom."""
    xy, score = np.asarray(xy, float).reshape(-1, 2), np.asarray(score, float)
    n = len(score)
    values = {
        "agreement": 1 / (1 + np.exp(-score)),
        "spread": np.zeros(n),
        "deviation": np.ones(n),
        "verdict": np.full(n, np.nan),
        "features": np.zeros((n, 3), np.float32),
    }
    values |= {name: np.asarray(value, float) for name, value in others.items()}
    return VerifiedPicks(
        micrographs=np.array(names, np.str_),
        shapes=np.full((len(names), 2), 100),
        pixel_size_A=np.ones(len(names)),
        micrograph=np.zeros(n, np.int64) if micrograph is None else np.asarray(micrograph),
        x_px=xy[:, 0],
        y_px=xy[:, 1],
        score=score,
        **values,
    )


NOTHING = ValidationSplit({}, {}, "none", "")


# -- what becomes a label -------------------------------------------------------------------------


def test_each_verification_keeps_a_pick_from_being_a_particle() -> None:
    picks = found(
        np.zeros((6, 2)),
        np.full(6, 3.0),
        agreement=[0.95, 0.05, 0.95, 0.95, 0.95, 0.95],
        spread=[0.02, 0.02, 0.3, 0.02, 0.02, 0.0],
        deviation=[1.0, 1.0, 1.0, 1.8, 1.0, 2.1],
        verdict=[np.nan, np.nan, np.nan, np.nan, 0.02, np.nan],
    )
    good, bad = sort_picks(picks, SureRule(), (0.6, 1.7))
    # sure; unsure; rotations disagree; too rough to be sure; refused; far too rough
    assert good.tolist() == [True, False, False, False, False, False]
    assert bad.tolist() == [False, False, False, False, True, True]


def test_nothing_is_sure_near_labels_and_where_rounds_are_judged() -> None:
    xy = [(10, 50), (14, 50), (50, 50), (78, 50), (90, 50), (30, 20), (60, 20)]
    score = [4, 4, 4, 4, 4, -1.0, 4]
    picks = found(xy, score, deviation=[1, 1, 1, 1, 1, 1, 9.0])
    labels = {"m0": Labels.from_xy("m0", [10.0], [50.0])}
    strip = Strip(1, 80.0, np.inf)  # from column 80 on
    held = ValidationSplit(
        {"m0": Labels.from_xy("m0", [95.0], [50.0])}, {"m0": strip}, "strips", ""
    )
    taught = verify_picks(picks, labels, held, SureRule(), diameter_A=10.0, sharpness=1.3)
    assert (taught.particles, taught.empty) == (1, 1)
    one = taught.picks["m0"]
    assert one.x_px.tolist() == [x for x, _ in xy] and one.score.tolist() == score
    # on a label; 4 < 5 from it; sure; 2 from the strip, less than a diameter; in the strip;
    # doubtful; far too rough
    soft = 1 / (1 + math.exp(-1.3 * 4))
    expected = [soft, soft, 1.0, soft, soft, 1 / (1 + math.exp(1.3)), 0.0]
    assert one.probability.tolist() == pytest.approx(expected)


def test_score_and_second_opinion_have_the_same_word() -> None:
    verdict = [0.5, 1 / (1 + math.exp(-3.0)), np.nan, 1.0, 0.0]
    picks = found(np.zeros((5, 2)), [2.0, -1.0, 2.0, 0.0, 0.0], verdict=verdict)
    most = math.log(0.9999 / 0.0001) / 2
    assert joint_score(picks).tolist() == pytest.approx([1.0, 1.0, 2.0, most, -most])


def test_a_pick_on_a_place_labelled_as_none_is_worth_nothing() -> None:
    picks = found([(50, 50), (54, 50), (80, 50)], [4.0, 4.0, 4.0])
    labels = {"m0": Labels.from_xy("m0", [51.0], [50.0], sign=[-1])}
    one = verify_picks(picks, labels, NOTHING, SureRule(), diameter_A=10.0, sharpness=1.3).picks[
        "m0"
    ]
    # 1 from it; 3, more than a quarter of a diameter, but too near to be sure; sure
    soft = 1 / (1 + math.exp(-1.3 * 4))
    assert one.probability.tolist() == pytest.approx([0.0, soft, 1.0])


def test_a_micrograph_without_picks_teaches_that_it_is_empty() -> None:
    picks = found([(50, 50)], [4.0], names=("m0", "m1"))
    taught = verify_picks(picks, {}, NOTHING, SureRule(), diameter_A=10.0, sharpness=1.3)
    assert [len(taught.picks[name]) for name in ("m0", "m1")] == [1, 0]


def test_gate_is_around_the_picks_on_labels() -> None:
    xy = [(10.0 * k, 50.0) for k in range(10)] + [(5.0, 20.0)]
    deviation = np.r_[np.linspace(0.9, 1.1, 10), 3.0]
    picks = found(xy, np.zeros(11), deviation=deviation)
    labels = {"m0": Labels.from_xy("m0", [x for x, _ in xy[:10]], [50.0] * 10)}
    low, high = gate_of(picks, labels, diameter_A=5.0)
    assert low == pytest.approx(0.9 / 1.25, rel=0.01) and high == pytest.approx(
        1.1 * 1.25, rel=0.01
    )
    few = {"m0": labels["m0"].keep(np.arange(5))}
    assert gate_of(picks, few, diameter_A=5.0) == (0.6, 1.7)


# -- what judges ----------------------------------------------------------------------------------


def test_held_out_recall_by_hand() -> None:
    # 3 particles expected on the micrograph: full credit up to rank 3, none from rank 6 on
    labels = Labels.from_xy("m0", [20.0, 40.0, 60.0, 80.0], [10.0] * 4)
    xy = [(20, 10), (90, 90), (40, 10), (70, 70), (60, 11), (5, 5)]
    picks = found(xy, [6, 5, 4, 3, 2, 1])
    validation = ValidationSplit({"m0": labels}, {"m0": EVERYTHING}, "micrographs", "")
    # ranks 1, 3, 5 and never
    found_by = validation.found_in_rounds(picks, 3.0, diameter_A=8.0)
    assert found_by.tolist() == pytest.approx([1, 1, 1 / 3, 0])
    assert NOTHING.found_in_rounds(picks, 3.0, diameter_A=8.0).shape == (0,)


def test_held_out_recall_counts_only_picks_of_the_strip() -> None:
    labels = Labels.from_xy("m0", [80.0], [10.0])
    strip = Strip(1, 49.5, np.inf)  # half of 100 columns: 2 of 4 expected particles
    validation = ValidationSplit({"m0": labels}, {"m0": strip}, "strips", "")
    aside = [(10.0 + k, 40.0) for k in range(20)]
    picks = found([*aside, (60, 60), (70, 60), (90, 60), (80, 10)], np.arange(24)[::-1] + 1.0)
    assert strip.fraction((100, 100)) == pytest.approx(0.5)
    assert validation.found_in_rounds(picks, 4.0, diameter_A=8.0).tolist() == pytest.approx(
        [(4 - 4) / 2]
    )
    better = replace(picks, score=np.r_[np.full(20, 9.0), 1, 2, 3, 2.5])
    assert validation.found_in_rounds(better, 4.0, diameter_A=8.0).tolist() == pytest.approx(
        [(4 - 2) / 2]
    )


def test_credits_are_in_one_order_whatever_the_ranks() -> None:
    labels = {
        "m0": Labels.from_xy("m0", [20.0, 40.0], [10.0, 10.0]),
        "m1": Labels.from_xy("m1", [60.0], [10.0]),
    }
    validation = ValidationSplit(labels, dict.fromkeys(labels, EVERYTHING), "micrographs", "")
    xy = [(20, 10), (40, 10), (60, 10), (80, 80), (80, 20)]
    where = {"names": ("m0", "m1"), "micrograph": [0, 0, 1, 1, 1]}
    # one particle a micrograph: N is 2, ranks 1, 4, 3 and then 2, 5, 1
    for score, expected in ([[9, 3, 5, 7, 1], [1, 0, 0.5]], [[5, 1, 9, 3, 2], [1, 0, 1]]):
        found_by = validation.found_in_rounds(found(xy, score, **where), 1.0, diameter_A=8.0)
        assert found_by.tolist() == pytest.approx(expected)


def test_labels_on_micrographs_that_could_not_be_picked_do_not_count() -> None:
    labels = {
        "m0": Labels.from_xy("m0", [20.0, 40.0], [10.0, 10.0]),
        "m1": Labels.from_xy("m1", [60.0], [10.0]),
    }
    validation = ValidationSplit(labels, dict.fromkeys(labels, EVERYTHING), "micrographs", "")
    only = found([(60, 10)], [3.0], names=("m1",))
    np.testing.assert_array_equal(validation.found_in_rounds(only, 1.0, 8.0), [np.nan, np.nan, 1.0])
    before = np.array([1.0, 1.0, 0.9, 0.8, 0.9])
    now = np.array([np.nan, np.nan, 0.1, 0.1, 0.1])
    assert is_worse(now, before) and not is_worse(np.full(5, np.nan), before)


def test_what_three_labels_of_five_lose_is_chance_and_five_of_five_is_not() -> None:
    before = np.ones(5)
    # t of four degrees of freedom is -3.75 at one percent; the error is
    # .36 sqrt(.3 / 5) = .088, the mean -.216: t = -2.4
    assert not is_worse(np.array([1, 0.64, 0.64, 0.64, 1]), before)
    # deviation .1, error .045, mean -.2: t = -4.5
    assert is_worse(np.array([0.7, 0.9, 0.8, 0.9, 0.7]), before)
    # deviation .1, error .045, mean -.15: t = -3.35
    assert not is_worse(np.array([0.75, 0.95, 0.85, 0.95, 0.75]), before)
    # one much better, one a little more worse than that
    assert not is_worse(np.array([1, 0.4, 0.5]), np.array([1, 1.0, 0.0]))
    assert not is_worse(before, before) and not is_worse(before[:1] - 1, before[:1])
    assert not is_worse(np.zeros(0), np.zeros(0))


def micrographs_of(count: int) -> list[Micrograph]:
    return [Micrograph(f"m{k}", LocalFile(Path(f"m{k}.mrc"))) for k in range(count)]


def random_labels(counts: list[int]) -> dict[str, Labels]:
    rng = np.random.default_rng(0)
    return {
        f"m{k}": Labels.from_xy(f"m{k}", rng.uniform(0, 100, n), rng.uniform(0, 100, n))
        for k, n in enumerate(counts)
    }


def test_whole_micrographs_are_held_out_of_many_labels() -> None:
    labels = random_labels([10] * 5)
    own, train, validation = hold_out_labels(labels, micrographs_of(7), seed=0)
    assert validation.kind == "micrographs" and len(validation.labels) == 1
    (name,) = validation.labels
    assert name not in own and name not in {m.id for m in train} and len(train) == 6
    assert sum(len(one) for one in own.values()) == 40


def test_a_strip_is_held_out_of_few_labels() -> None:
    labels = random_labels([15])
    own, train, validation = hold_out_labels(labels, micrographs_of(3), seed=0)
    assert validation.kind == "strips" and len(train) == 3
    assert (len(own["m0"]), len(validation.labels["m0"])) == (10, 5)
    strip, held, kept = validation.strips["m0"], validation.labels["m0"], own["m0"]
    assert strip.contains(held.y_px, held.x_px).all()
    assert not strip.contains(kept.y_px, kept.x_px).any()


def test_a_handful_of_labels_all_train() -> None:
    own, train, validation = hold_out_labels(random_labels([8]), micrographs_of(2), seed=0)
    assert validation.kind == "none" and len(own["m0"]) == 8 and len(train) == 2


# -- the loop -------------------------------------------------------------------------------------


class Scripted:
    """Rounds with a given held-out figure each, and as many picks."""

    def __init__(self, recalls: list[float | None], picks: list[int] | None = None) -> None:
        self.recalls, self.picks = recalls, picks or [5] * len(recalls)

    def _one(self, number: int) -> Any:
        return SimpleNamespace(number=number, recall=self.recalls[number])

    def first(self) -> Any:
        return self._one(0)

    def later(self, number: int, taught: Any) -> Any:
        return self._one(number)

    def lowers(self, now: Any, before: Any) -> bool:
        return None not in (now.recall, before.recall) and now.recall < before.recall

    def verified(self, last: Any) -> Any:
        return SimpleNamespace(picks={"m": range(self.picks[last.number])}, made_from=last.number)


@pytest.mark.parametrize(
    ("recalls", "rounds", "best"),
    [
        ([0.5, 0.6, 0.7, 0.65, 0.9], 4, 2),  # the fourth lowers it: not used, the last
        ([0.5, 0.4, 0.9], 2, 0),  # the first round already lowers it
        ([0.5, 1.0, 1.0, 1.0], 4, 3),  # cannot rise any more: goes on
        ([0.5, 0.6, 0.7, 0.8, 0.9], 4, 3),  # as many as asked for
        ([None, None, None, None], 4, 3),  # nothing to judge by: all of them
    ],
)
def test_rounds_go_on_until_one_lowers_the_held_out_figure(
    recalls: list[float | None], rounds: int, best: int
) -> None:
    done, found_best, taught = run_rounds(Scripted(recalls), 3)  # type: ignore[arg-type]
    assert (len(done), found_best) == (rounds, best)
    assert (taught.made_from if taught else -1) == best - 1  # type: ignore[attr-defined]


def test_no_pick_ends_the_rounds() -> None:
    done, best, _ = run_rounds(Scripted([0.5, 0.6, 0.7], [5, 0, 5]), 3)  # type: ignore[arg-type]
    assert (len(done), best) == (2, 1)


def a_round(number: int, score: list[float], expected: float) -> Any:
    """Ten labelled places, 10 apart, and ten others, with these scores; one micrograph."""
    xy = [(10 * k, 20) for k in range(10)] + [(10 * k, 80) for k in range(10)]
    model = SimpleNamespace(card=SimpleNamespace(diameter_A=8.0))
    metrics = {"expected": expected}
    return SimpleNamespace(number=number, found=found(xy, score), model=model, metrics=metrics)


def test_rounds_are_compared_at_the_count_of_the_one_that_finds_most() -> None:
    labels = Labels.from_xy("m0", [10.0 * k for k in range(10)], [20.0] * 10)
    held = ValidationSplit({"m0": labels}, {"m0": EVERYTHING}, "micrographs", "")
    data: Any = SimpleNamespace(validation=held)
    rounds = run_round.RoundRunner(data, *[None] * 7)  # type: ignore[arg-type]
    ranked = [float(20 - k) for k in range(20)]
    good, bad = a_round(0, ranked, 4.0), a_round(1, ranked[::-1], 4.0)
    # ranks 1 to 10 of cuts from 4 to 8, and 11 to 20
    assert rounds.found_in_rounds([good])[0].tolist() == [1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0]
    assert rounds.lowers(bad, good) and not rounds.lowers(good, bad)
    # at ten, which the second finds, all ten of the first are found
    assert rounds.found_in_rounds([good, a_round(1, ranked, 10.0)])[0].tolist() == [1.0] * 10
    turned = a_round(1, [*ranked[:10][::-1], *ranked[10:]], 10.0)
    assert not rounds.lowers(turned, good) and not rounds.lowers(good, turned)


# -- the views ------------------------------------------------------------------------------------


def test_features_do_not_depend_on_the_rotation_and_do_on_the_shape() -> None:
    yy, xx = np.mgrid[-40:41, -40:41]
    rod = -2.0 * ((np.abs(yy) < 5) & (np.abs(xx) < 15)).astype(float)
    disc = -2.0 * (np.hypot(yy, xx) < 10).astype(float)
    places = [(40.0, 40.0)]

    def features(image: Any) -> Any:
        return view_features(torch.from_numpy(np.asarray(image)).float(), places, 32.0)[0]

    turned = [features(rotate(rod, angle, reshape=False, order=1)) for angle in (0, 33, 90, 157)]
    moved = features(shift(rod, (1, 1), order=1))
    within = max(np.abs(one - turned[0]).max() for one in turned[1:])
    assert within < 0.12
    assert np.abs(features(disc) - turned[0]).max() > 3 * within
    assert np.abs(moved - turned[0]).max() < np.abs(features(disc) - turned[0]).max()
    assert view_features(torch.zeros(9, 9), np.zeros((0, 2)), 32.0).shape == (0, 30)


def test_shares_follow_a_known_mixture() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0], [30, 0, 0], [0, 30, 0]])

    def picks(counts: list[int]) -> Any:
        return np.concatenate(
            [rng.normal(c, 1, (n, 3)) for c, n in zip(centres, counts, strict=True)]
        )

    shares = view_shares([picks([60, 30, 10]), picks([90, 10, 0])], seed=0, groups=3)
    np.testing.assert_allclose(shares, [[0.6, 0.3, 0.1], [0.9, 0.1, 0.0]])


def test_divergence_by_hand() -> None:
    assert divergence([0.5, 0.5], [0.5, 0.5]) == 0
    assert divergence([1, 0], [0, 1]) == pytest.approx(1)
    # p = (1, 0), q = (.5, .5), m = (.75, .25)
    by_hand = (math.log2(1 / 0.75) + 0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(2)) / 2
    assert divergence([1, 0], [0.5, 0.5]) == pytest.approx(by_hand)


# -- on micrographs -------------------------------------------------------------------------------


def image(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark discs of 12 pixels in noise, and their centres (x, y), none near another."""
    rng = np.random.default_rng(seed)
    centres = places_apart(rng, SIDE, 18, 12, 22)
    data = rng.normal(0, 1, SIDE)
    draw_discs(data, centres, 1.2, 6)
    return data.astype(np.float32), centres


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Micrograph], dict[str, Labels]]:
    folder = tmp_path_factory.mktemp("micrographs")
    micrographs, labels = [], {}
    for k in range(6):
        pixels, xy = image(k)
        path = write_mrc(folder / f"m{k}.mrc", pixels)
        micrographs.append(Micrograph(path.name, LocalFile(path), PIXEL_A))
        if k < 5:
            labels[path.name] = Labels.from_xy(path.name, xy[:7, 0], xy[:7, 1])
    return micrographs, labels


def iterate(
    data: Any,
    spool: Path,
    reporter: Any = None,
    *,
    start: PickingModel | None = None,
    rule: SureRule | None = None,
    executor: Executor | None = None,
    **others: Any,
) -> IterationResult:
    values = {"diameter": DIAMETER_A, "device": "cpu", "threads": 1, "rounds": 1, **others}
    return iterate_picker(
        data[0],
        data[1],
        IterateSettings.model_validate(values),
        start=start,
        spool=spool,
        reporter=reporter or SilentReporter(),
        recipe=SHORT,
        rule=rule or RULE,
        executor=executor,
    )


@pytest.fixture(scope="module")
def iterated(data: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[IterationResult, Path]:
    spool = tmp_path_factory.mktemp("rounds")
    return iterate(data, spool), spool


def test_a_round_learns_true_particles_and_is_kept(
    data: Any, iterated: tuple[IterationResult, Path]
) -> None:
    result, spool = iterated
    assert len(result.rounds) == 2
    first, second = result.rounds
    assert result.table[0]["held_out_recall"] > 0.8
    assert second.metrics["new_particles"] > 10
    assert second.summary["labels"] == 28
    # what verification was sure of after round 0, against the true centres
    _, _, validation = hold_out_labels(data[1], data[0], 0)
    taught = verify_picks(first.found, data[1], validation, RULE, DIAMETER_A, 1.3)
    assert taught.particles == second.metrics["new_particles"]
    right = wrong = 0
    for name, one in taught.picks.items():
        truth = image(int(name[1]))[1]
        sure = one.probability == 1.0
        for x, y in np.stack([one.x_px, one.y_px], 1)[sure]:
            near = np.hypot(*(truth - (x, y)).T).min() < DIAMETER_PX / 4
            right, wrong = right + near, wrong + (not near)
    assert right + wrong == taught.particles and right > 10 * max(wrong, 0.9)
    for number in (0, 1):
        folder = spool / f"round_{number:02d}"
        assert {"model.safetensors", "model.json", "picks.npz", "round.json"} == {
            path.name for path in folder.iterdir()
        }
    assert result.model.digest == PickingModel.load(spool / f"last_{result.best:02d}").digest
    # the last training saw the held-out labels too
    assert result.summary["labels"] == 35


def test_table_and_figures(iterated: tuple[IterationResult, Path]) -> None:
    table = iterated[0].table
    assert [row["round"] for row in table] == [0, 1] and table[0]["view_change"] == 0
    for row in table:
        assert sum(v for k, v in row.items() if k.startswith("views_")) == pytest.approx(1)
    figures = round_figures(table)
    assert [one.name for one in figures] == ["rounds", "views"]
    assert all(one.png.startswith(b"\x89PNG") for one in figures)


class StopAt(SilentReporter):
    """Asks to stop at the n-th check of a stage that is entered for the k-th time."""

    def __init__(self, stage: str, entered: int, checks: int) -> None:
        super().__init__()
        self.wanted, self.entered, self.checks, self.now = stage, entered, checks, False

    def stage(self, name: str, total: int) -> None:
        self.entered -= name == self.wanted
        self.now = name == self.wanted and self.entered == 0

    def check(self) -> None:
        if self.now:
            self.checks -= 1
            if self.checks < 0:
                raise JobStopped("stopped")


def test_stopped_rounds_give_the_same_model(
    data: Any, iterated: tuple[IterationResult, Path], tmp_path: Path
) -> None:
    stops = [
        ("training", 1, 30),  # in round 0
        ("picking and verifying", 1, 2),  # of round 0
        ("training", 2, 10),  # the first entry ends at once: round 0 is trained; in round 1
        ("training", 1, 20),  # later in round 1
        ("training", 2, 45),  # in the last training
    ]
    for stop in stops:
        with pytest.raises(JobStopped):
            iterate(data, tmp_path, StopAt(*stop))
    again = iterate(data, tmp_path)
    whole = iterated[0]
    assert [one.model.digest for one in again.rounds] == [one.model.digest for one in whole.rounds]
    assert again.model.digest == whole.model.digest and again.table == whole.table


def test_more_rounds_may_be_asked_for_while_the_last_training_is_unfinished(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = iter([0, 1])
    original = run_rounds

    def scripted(*arguments: Any) -> Any:
        done, _, taught = original(*arguments)
        number = next(best)
        return done, number, taught if number else None

    monkeypatch.setattr("frostpick.iterating.iterate.run_rounds", scripted)
    with pytest.raises(JobStopped):  # entered for both rounds before
        iterate(data, tmp_path, StopAt("training", 3, 45))
    again = iterate(data, tmp_path)
    assert again.best == 1 and (tmp_path / "last_01" / "last.json").is_file()


def test_a_finished_iteration_trains_nothing_again(
    data: Any, iterated: tuple[IterationResult, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: Any, **others: Any) -> Any:
        raise AssertionError("trained again")

    monkeypatch.setattr(run_round, "train_picker", never)
    result, spool = iterated
    assert iterate(data, spool).model.digest == result.model.digest


def test_other_unfinished_rounds_in_the_spool_are_refused(
    data: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(JobStopped):
        iterate(data, tmp_path, StopAt("training", 1, 30))
    with pytest.raises(ConfigError, match=r"--seed 0 and not --seed 1; .*--restart"):
        iterate(data, tmp_path, seed=1)
    fewer = {name: one.keep(np.arange(2)) for name, one in data[1].items()}
    with caplog.at_level(logging.INFO), pytest.raises(JobStopped):
        iterate((data[0], fewer), tmp_path, StopAt("training", 1, 5))
    assert "the labels changed since the training of this job was stopped" in caplog.text
    (tmp_path / "iteration.json").write_text("half a f")
    with pytest.raises(ConfigError, match="damaged"):
        iterate(data, tmp_path)
    older = json.dumps({"key": "of a version that kept nothing else"})
    (tmp_path / "iteration.json").write_text(older)
    with pytest.raises(ConfigError, match="--restart"):
        iterate(data, tmp_path)


def test_other_settings_begin_finished_rounds_anew(
    data: Any, iterated: tuple[IterationResult, Path], tmp_path: Path, caplog: Any
) -> None:
    shutil.copytree(iterated[1], tmp_path / "rounds")
    with caplog.at_level(logging.INFO), pytest.raises(JobStopped):
        iterate(data, tmp_path / "rounds", StopAt("training", 1, 5), seed=1)
    told = "the settings (--seed) changed since the training of this job ended: training anew"
    assert told in caplog.messages
    assert not list((tmp_path / "rounds").rglob("round.json"))


def test_without_labels_the_start_model_is_round_0(
    data: Any, iterated: tuple[IterationResult, Path], tmp_path: Path
) -> None:
    start = iterated[0].model
    result = iterate((data[0], {}), tmp_path, start=start, diameter=None)
    assert result.rounds[0].model.digest == start.digest
    assert "held_out_recall" not in result.table[0]
    assert len(result.rounds) == 2 and result.best == 1
    assert result.model.card.parent == start.digest
    with pytest.raises(ConfigError, match="--start-model"):
        iterate((data[0], {}), tmp_path / "none")


def test_a_round_without_anything_sure_teaches_what_it_believes(
    data: Any, iterated: tuple[IterationResult, Path], tmp_path: Path
) -> None:
    result = iterate(data, tmp_path, rule=SureRule(confident=1.1))
    assert len(result.rounds) == 2 and result.table[1]["new_particles"] == 0
    # round 0 is the same; what it teaches is not
    assert result.rounds[0].model.digest == iterated[0].rounds[0].model.digest
    assert result.rounds[1].model.digest != iterated[0].rounds[1].model.digest


def test_micrographs_that_cannot_be_read_end_no_rounds(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Micrograph("gone.mrc", LocalFile(tmp_path / "gone.mrc"), PIXEL_A)
    late = data[0][5]
    seen: list[set[str]] = []
    whole = run_round.train_picker

    def watched(micrographs: Any, *args: Any, **others: Any) -> Any:
        seen.append({m.id for m in micrographs})
        return whole(micrographs, *args, **others)

    def picked(model: Any, micrographs: Any, *others: Any) -> Any:
        return pick_and_verify(model, [m for m in micrographs if m is not late], *others)

    monkeypatch.setattr(run_round, "train_picker", watched)
    monkeypatch.setattr(run_round, "pick_and_verify", picked)
    result = iterate(([*data[0], missing], data[1]), tmp_path / "rounds")
    assert len(result.rounds) == 2
    # nothing is known of what was not picked: it is not taken for empty
    assert all({late.id, missing.id} <= one for one in seen[:1])
    assert not any({late.id, missing.id} & one for one in seen[1:])
    assert set(result.summary["failed"]) == {late.id, missing.id}


def test_the_contrast_is_decided_once(
    data: Any, iterated: tuple[IterationResult, Path], tmp_path: Path
) -> None:
    start = iterated[0].model
    light = PickingModel(start.card.model_copy(update={"contrast": "light"}), start.network)
    result = iterate((data[0], {}), tmp_path, start=light, diameter=None, contrast="auto", rounds=1)
    assert [one.model.card.contrast for one in result.rounds] == ["dark"] * 2


@pytest.mark.parametrize(("given", "start", "most"), [(0, True, 1), (0, False, 3), (5, True, 5)])
def test_as_many_rounds_as_the_start_needs(
    data: Any,
    iterated: tuple[IterationResult, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: int,
    start: bool,
    most: int,
) -> None:
    class Enough(Exception):
        pass

    def counted(rounds: Any, number: int) -> Any:
        assert number == most
        raise Enough

    monkeypatch.setattr("frostpick.iterating.iterate.run_rounds", counted)
    with pytest.raises(Enough):
        iterate(data, tmp_path, start=iterated[0].model if start else None, rounds=given)


class LeftIsNone:
    """Says that nothing in the left half of a micrograph is a particle."""

    key = "left"

    def __call__(
        self, image: Any, x_px: Any, y_px: Any, pixel_size_A: float, *, light: bool
    ) -> Any:
        assert image.shape == SIDE and pixel_size_A == PIXEL_A and not light
        return np.where(x_px < SIDE[1] / 2, 0.01, 0.99)


def test_a_second_opinion_is_heard(data: Any, iterated: tuple[IterationResult, Path]) -> None:
    model = iterated[0].model
    plan = plan_picking(model, PickSettings(device="cpu", threads=1))
    picks = pick_and_verify(model, data[0][5:], plan, SilentReporter(), LeftIsNone())
    one = verify_picks(picks, {}, NOTHING, RULE, DIAMETER_A, 1.3).picks[data[0][5].id]
    left = one.x_px < SIDE[1] / 2
    assert left.any() and (~left).any()
    assert (one.probability[left] == 0).all() and (one.probability[~left] == 1).any()
    alone = pick_and_verify(model, data[0][5:], plan, SilentReporter())
    assert np.isnan(alone.verdict).all()
    np.testing.assert_array_equal(alone.score, picks.score)


def test_examined_picks_are_those_of_the_picker(
    data: Any, iterated: tuple[IterationResult, Path]
) -> None:
    model = iterated[0].model
    plan = plan_picking(model, PickSettings(device="cpu", threads=1))
    looked = pick_and_verify(model, data[0][4:], plan, SilentReporter())
    for index, one in enumerate(pick_micrographs(model, data[0][4:], plan, SilentReporter())):
        at = looked.micrograph == index
        np.testing.assert_array_equal(looked.x_px[at], one.picks.x_px)
        np.testing.assert_array_equal(looked.score[at], one.picks.score)
    sure = looked.score > 3
    # nearly all: agreement is taken at the pick, its score at the highest cell nearby
    assert (looked.agreement[sure] > 0.8).mean() > 0.9
    assert ((looked.agreement >= 0) & (looked.agreement <= 1) & (looked.spread <= 0.5)).all()


def test_examined_the_same_in_two_processes(
    data: Any, iterated: tuple[IterationResult, Path]
) -> None:
    model = iterated[0].model
    plan = plan_picking(model, PickSettings(device="cpu", threads=1))
    cpu = torch.device("cpu")
    gone = Micrograph("gone.mrc", LocalFile(Path("gone.mrc")), PIXEL_A)
    pool = [data[0][3], gone, *data[0][4:]]
    told = (model, pool, plan, SilentReporter(), PrunerScore(tiny_pruner(), DIAMETER_A, cpu))
    alone, both = pick_and_verify(*told), pick_and_verify(*told, ProcessExecutor([cpu, cpu], 2))
    assert len(alone) > 10 and np.isfinite(alone.verdict).all()
    assert list(alone.micrographs) == [one.id for one in pool if one is not gone]
    for field in fields(VerifiedPicks):
        np.testing.assert_array_equal(getattr(both, field.name), getattr(alone, field.name))


def test_rounds_are_picked_by_the_executor_given(data: Any, tmp_path: Path) -> None:
    class Away:
        devices, threads = (torch.device("cpu"),), 1

        def run(self, work: Any, items: Any, reporter: Any, *, ordered: bool = True) -> Any:
            assert ordered and len(items) == len(data[0])
            raise DeviceError("the machines are away")

    with pytest.raises(DeviceError, match="away"):
        iterate(data, tmp_path, executor=Away())


def test_a_pruner_says_the_same_of_a_turned_micrograph() -> None:
    pruner = tiny_pruner()
    opinion = PrunerScore(pruner, DIAMETER_A, torch.device("cpu"))
    pixels = image(7)[0][:, :180]
    x, y = np.array([60.0, 90.0, 121.0]), np.array([80.0, 70.0, 99.0])
    found = opinion(pixels, x, y, PIXEL_A, light=False)
    # a quarter turn takes (row, column) to (179 - column, row)
    turned = opinion(np.rot90(pixels).copy(), y, 179 - x, PIXEL_A, light=False)
    assert found.shape == (3,) and ((found > 0) & (found < 1)).all() and np.ptp(found) > 1e-4
    np.testing.assert_allclose(turned, found, atol=0.02)
    assert opinion.key == f"{pruner.digest} 64 A"


def test_a_fixed_filter_cannot_start_rounds(data: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to train"):
        iterate(data, tmp_path, start=shipped("blob"))
