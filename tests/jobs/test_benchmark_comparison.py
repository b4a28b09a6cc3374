"""Summaries, targets, choices and fits of the benchmarks, on cases done by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from accuracy.few_labels import few_labels_table
from accuracy.robust_table import empty_share
from accuracy.summary import cells, overall, precision_spread
from accuracy.table import main_table
from accuracy.targets import targets
from accuracy.text_table import markdown
from speed.marginal import fit_line
from speed.work import Work, micrograph_work, network_work, training_step_work
from variants.choice import complete, leave_one_out, paired_difference
from variants.variant import parse


def result(set_: str, draw: int, ap: float, labels: str = "15", **more: Any) -> dict[str, Any]:
    terciles = [{"true": t, "picks": 10} for t in (9, 8, 6)]
    return {
        "set": set_,
        "labels": labels,
        "draw": draw,
        "kind": "main",
        "start": "none",
        "code": "c",
        "simulated": set_ != "real",
        "training": {"cpu_s": 10.0, "estimated_per_micrograph": 50.0},
        "true_per_training_micrograph": 60.0,
        "pick_cpu_s": 0.1,
        "micrographs": 8,
        "ap": ap,
        "best_f1": 0.9,
        "auto_f1": 0.88,
        "auto_precision": 0.9,
        "auto_recall": 0.86,
        "ece": 0.02,
        "localisation": 0.025,
        "resampled_ap": [ap - 0.1, ap, ap + 0.1],
        "terciles": terciles,
        **more,
    }


SETS = ("apof_r", "bgal_r", "gpcrgs_r")


def test_means_are_over_sets_of_means_over_draws() -> None:
    results = [result("apof_r", d, ap) for d, ap in enumerate((0.9, 0.8, 1.0))]
    results += [result("bgal_r", 0, 0.7), result("real", 0, 0.1)]
    (one,) = overall(cells(results))
    assert one.ap == pytest.approx(0.8)
    assert one.lowest == ("bgal_r", pytest.approx(0.7))
    assert one.spread == pytest.approx(0.1)
    # The resamples of both sets are -.1, 0 and +.1 about the mean of the means.
    assert one.interval == (pytest.approx(0.705), pytest.approx(0.895))
    assert one.precision_spread == pytest.approx(0.3)
    assert np.isnan(precision_spread([{"true": 0, "picks": 0}]))


def test_targets_are_reached_missed_or_not_measured() -> None:
    results = [result(name, 0, 0.97, false_kinds={"speck": 10}) for name in SETS]
    results[1]["auto_f1"] = 0.84
    found = {t.what: t for t in targets(results, "none")}
    assert found["mean AP, 15 labels"].reached is True
    assert found["mean AP, 200 labels"].reached is None
    # Topaz with 15 labels is best on bgal_r: .889.
    lead = found["lead over Topaz, worst simulated, 15 labels"]
    assert lead.value == pytest.approx(0.97 - 0.889)
    assert found["F1 gap, mean"].value == pytest.approx((0.02 + 0.06 + 0.02) / 3)
    assert found["F1 gap, worst run"].reached is False
    assert found["precision by defocus, worst set"].reached is False
    assert found["ECE, mean"].reached is True
    # Topaz has 123, 67 and 101 false picks.
    share = found["false picks / Topaz's, 15 labels"]
    assert share.value == pytest.approx((10 / 123 + 10 / 67 + 10 / 101) / 3)
    assert share.reached is True
    results[0]["false_kinds"] = None
    found = {t.what: t for t in targets(results, "none")}
    assert found["false picks / Topaz's, 15 labels"].reached is None


def test_few_labels_are_judged_by_squares_beside_topaz_and_the_average() -> None:
    f1 = {"apof_r": (0.97, 0.95), "bgal_r": (0.92, 0.94), "gpcrgs_r": (0.91,), "real": (0.99,)}
    results = [
        result(name, draw, 0.9, best_f1_iou50=value)
        for name, values in f1.items()
        for draw, value in enumerate(values)
    ]
    found = {t.what: t for t in targets(results, "none")}
    mean = found["best F1 at IoU .5, mean, 15 labels"]
    assert (mean.value, mean.reached) == (pytest.approx((0.96 + 0.93 + 0.91) / 3), True)
    # Topaz has .834, .878 and .871, the average .964, .809 and .696.
    topaz = found["lead over topaz, worst simulated, IoU .5"]
    assert (topaz.value, topaz.reached) == (pytest.approx(0.91 - 0.871), True)
    average = found["lead over rotational average, worst simulated, IoU .5"]
    assert (average.value, average.reached) == (pytest.approx(0.96 - 0.964), False)
    assert found["real best F1 at IoU .5, 15 labels"].reached is True
    rows = {line.split("|")[1].strip(): line for line in few_labels_table(results).splitlines()}
    words = [word.strip() for word in rows["apof_r"].split("|")[2:-1]]
    assert words == ["none", "2", "0.960", "0.014", "0.950", "0.834", "0.964"]
    words = [word.strip() for word in rows["simulated, mean"].split("|")[2:-1]]
    # (.834 + .878 + .871) / 3 and (.964 + .809 + .696) / 3
    assert words == ["none", "-", "0.933", "-", "0.910", "0.861", "0.823"]
    without = {t.what: t for t in targets([result(n, 0, 0.9) for n in SETS], "none")}
    assert without["best F1 at IoU .5, mean, 15 labels"].reached is None


def test_two_sets_do_not_stand_for_three() -> None:
    found = {t.what: t for t in targets([result(n, 0, 0.99) for n in SETS[:2]], "none")}
    assert found["mean AP, 15 labels"].reached is None


def test_table_puts_recorded_rows_beside_ours() -> None:
    lines = main_table([result("bgal_r", 0, 0.97)]).splitlines()
    ours = [line for line in lines if "frostpick" in line]
    assert len(ours) == 1 and "0.970" in ours[0] and "50/60" in ours[0]
    assert any("Topaz" in line and "0.889" in line for line in lines)
    assert any("matched filter" in line and "0.951" in line for line in lines)
    assert len({len(line) for line in lines}) == 1


def test_markdown_is_aligned() -> None:
    assert markdown(("a", "b"), [["long", "1"]]).splitlines() == [
        "| a    | b |",
        "| :--- | : |",
        "| long | 1 |",
    ]


def test_share_picked_on_empty_micrographs() -> None:
    one = {"selected_on_blank": [0, 1, 2], "selected_per_micrograph": 50.0}
    assert empty_share(one, "blank") == pytest.approx(0.02)


SCORES = {
    "default": {"a": {0: 0.9, 1: 0.8}, "b": {0: 0.7, 1: 0.7}, "c": {0: 0.5, 1: 0.5}},
    "good": {"a": {0: 0.95, 1: 0.85}, "b": {0: 0.75, 1: 0.75}, "c": {0: 0.4, 1: 0.6}},
    # Best of all on c alone: it must not be chosen for c.
    "lucky": {"a": {0: 0.8, 1: 0.8}, "b": {0: 0.6, 1: 0.6}, "c": {0: 0.9, 1: 0.9}},
    "unfinished": {"a": {0: 1.0, 1: 1.0}, "b": {0: 1.0}},
}


def test_a_variant_is_judged_where_it_was_not_chosen() -> None:
    sets = ("a", "b", "c")
    assert complete(SCORES, sets, "default") == ["default", "good", "lucky"]
    left = {one.set: one for one in leave_one_out(SCORES, sets, "default")}
    assert left["c"].chosen == "good"
    assert left["c"].ap == pytest.approx(0.5)
    # Without a, lucky has the best mean of b and c: .75 against .625 and .6.
    assert left["a"].chosen == "lucky"
    assert (left["a"].ap, left["a"].default_ap) == (pytest.approx(0.8), pytest.approx(0.85))


def test_gain_is_of_the_same_draws() -> None:
    gain, error, worst, pairs = paired_difference(SCORES, "good", "default")
    assert (gain, worst, pairs) == (pytest.approx(0.1 / 3), pytest.approx(0.0, abs=1e-12), 6)
    # Only c varies: -.1 and +.1, variance .02, of the mean .01; over three sets.
    assert error == pytest.approx(np.sqrt((0 + 0 + 0.01) / 3 / 3))
    assert paired_difference(SCORES, "unfinished", "default")[3] == 3


def test_variants_change_recipe_and_settings() -> None:
    variant = parse("v:rate=0.001,tiles=16,augmentation.noise=0,objective=ge-kl")
    recipe = variant.recipe()
    assert (recipe.rate, recipe.tiles, recipe.augmentation.noise) == (0.001, 16, 0)
    settings = variant.settings("none", diameter=100)
    assert (settings.objective, settings.start_model) == ("ge-kl", "none")
    assert variant.digest != parse("v:rate=0.002").digest
    for wrong in ("v:rats=1", "v:tiles=1.5", "v:rate=fast", "v:rate"):
        with pytest.raises(SystemExit, match="--variant"):
            parse(wrong)


def test_line_through_job_times() -> None:
    start, slope, error = fit_line([20, 60, 100, 140], [5.0, 8.0, 11.0, 14.0])
    assert (start, slope) == (pytest.approx(3.5), pytest.approx(0.075))
    assert error == pytest.approx(0.0, abs=1e-9)
    # Residuals of +-1 about 0 + 1 x at x = -1, -1, 1, 1: variance 4 / 2, over 4.
    assert fit_line([-1, -1, 1, 1], [-2.0, 0.0, 0.0, 2.0])[2] == pytest.approx(np.sqrt(0.5))


def test_work_of_a_convolution_by_hand() -> None:
    layer = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, bias=False))
    work = network_work(layer, (1, 1, 12, 12))
    assert work.flop == 2 * 10 * 10 * 4 * 9
    assert work.bytes == 4 * (12 * 12 + 4 * 9 + 4 * 10 * 10)
    step = training_step_work(layer, 1, 12)
    # Backward: the gradient of the weights only, the input needs none.
    assert step.flop == 2 * work.flop
    assert step.bytes == 3 * work.bytes
    assert micrograph_work(4096, 728)["read"].bytes == 4 * 4096**2
    assert Work(10.0, 6.0).seconds(5.0, 2.0) == 3.0
