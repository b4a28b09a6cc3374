"""The accuracy benchmark's own figures, on cases done by hand; no development data needed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from accuracy.bootstrap import interval, resamples
from accuracy.draws import (
    DRAWS,
    FILE,
    HALF_VIEWS,
    folded_tilt,
    make_draws,
    parse,
    seen_views,
    write_labels,
)
from accuracy.matching import match_picks
from accuracy.measure import (
    Picked,
    false_kinds,
    measure,
    precision_by_defocus,
    read_picked,
    view_bins,
    worst_bin,
)
from accuracy.recorded import (
    AVERAGE,
    TOPAZ,
    f1_by_squares,
    topaz_ap,
    topaz_false_kinds,
    topaz_recall,
)
from accuracy.resample import fourier_resize
from accuracy.runs import Run, main_runs, only, robustness_runs, shard
from accuracy.sets import BenchSet, Split
from accuracy.truth_table import TruthTable, read_truth
from PIL import Image

from frostpick.evaluation import Truth, evaluate
from frostpick.types import Picks

SHAPE = (100, 120)
DIAMETER = 20.0


def table(*rows: tuple[str, float, float, bool, str, float]) -> TruthTable:
    """Return a truth of rows (name, x, y, edge, kind, tilt)."""
    name, x, y, edge, kind, tilt = (list(c) for c in zip(*rows, strict=True))
    n = len(rows)
    return TruthTable(
        np.arange(n),
        np.array(name),
        np.array(x, float),
        np.array(y, float),
        np.linspace(-170.0, 170.0, n),
        np.array(tilt, float),
        np.array(edge, bool),
        np.array(kind),
    )


TRUTH = table(
    ("a", 30, 30, False, "particle", 10),
    ("a", 60, 60, False, "particle", 80),
    ("a", 5, 50, True, "particle", 50),
    ("a", 90, 70, False, "fragment", float("nan")),
    ("b", 50, 50, False, "particle", 120),
)


def picks(name: str, *rows: tuple[float, float, float]) -> Picks:
    x, y, score = zip(*rows, strict=True)
    return Picks.from_xy(name, x, y, score=score)


# On a: a hit 5 px away (just allowed), a false one on the fragment, a cut particle (ignored), a
# false one at the border (false), a second pick of the first particle (false). On b: one hit.
PICKS = {
    "a": picks("a", (33, 34, 5), (90, 70, 4), (5, 50, 3), (115, 50, 2), (30, 31, 1)),
    "b": picks("b", (50, 51, 0)),
}


def split(folder: Path, truth: TruthTable = TRUTH, masks: Path | None = None) -> Split:
    defocus = {"a": 10_000.0, "b": 20_000.0}
    return Split(folder, folder / "coords.csv", ("a", "b"), SHAPE, truth, defocus, masks)


def test_picks_are_matched_as_by_hand() -> None:
    matched = match_picks(PICKS, TRUTH, ("a", "b"), SHAPE, DIAMETER)
    assert matched.score.tolist() == [5, 4, 2, 1, 0]
    assert matched.true.tolist() == [True, False, False, False, True]
    assert matched.counts.tolist() == [2, 1]
    # AP = (1/1 + 2/5) / 3
    assert matched.average_precision() == pytest.approx(1.4 / 3)
    assert matched.found_at.tolist() == [5, -np.inf, 0]
    assert matched.recall(0.5) == pytest.approx(1 / 3)


def test_false_picks_at_the_border_count_and_those_on_cut_particles_do_not() -> None:
    rows = [("m", 5.0, 50.0, True), ("m", 60.0, 0.0, True), ("m", 60.0, 50.0, False)]
    truth = table(*[(*row, "particle", 0.0) for row in rows])
    found = picks(
        "m",
        (60, 50, 9),  # the particle that counts
        (6, 51, 8),  # on the cut one at the left
        (60, 6.5, 7),  # what is left of the upper one: 6.5 px from its centre, no match at 5
        (5, 59.9, 6),  # a second one on the left, 9.9 px from its centre
        (5, 60, 5),  # a radius from it: nothing
        (118, 50, 4),  # nothing, on the border
        (90, 97, 3),  # nothing, on the border
        (90, 50, 2),  # nothing, inside
    )
    here = (("m",), SHAPE, DIAMETER)
    matched = match_picks({"m": found}, truth, *here)
    assert matched.score.tolist() == [9, 5, 4, 3, 2]
    assert matched.true.tolist() == [True, False, False, False, False]
    left_out = match_picks({"m": found}, truth, *here, "ignored")
    assert left_out.score.tolist() == [9, 2]
    one = Truth.from_xy("m", truth.x_px, truth.y_px, edge=truth.edge)
    for border, ignored in (("scored", 3), ("ignored", 6)):
        result = evaluate({"m": found}, {"m": one}, DIAMETER, {"m": SHAPE}, border=border)
        assert (result.n_true, result.n_ignored, result.n_picks) == (1, ignored, 8 - ignored)


def test_resampled_ap_is_that_of_micrographs_that_are_there_so_often() -> None:
    rng = np.random.default_rng(3)
    names = ("a", "b", "c")
    rows = [(n, *rng.uniform(15, 85, 2), False, "particle", 0.0) for n in names for _ in range(9)]
    truth = table(*rows)
    found = {
        n: picks(n, *[(*rng.uniform(5, 95, 2), s) for s in rng.normal(size=25)]) for n in names
    }
    matched = match_picks(found, truth, names, SHAPE, DIAMETER)
    for weight in ([1, 1, 1], [3, 0, 0], [2, 0, 1], [0, 1, 2]):
        copies = {f"{n}{k}": n for n, w in zip(names, weight, strict=True) for k in range(w)}
        result = evaluate(
            {k: Picks.from_xy(k, found[n].x_px, found[n].y_px, score=found[n].score)
             for k, n in copies.items()},
            {k: Truth.from_xy(k, truth.on(n).x_px, truth.on(n).y_px) for k, n in copies.items()},
            DIAMETER,
            dict.fromkeys(copies, SHAPE),
            border="scored",
        )  # fmt: skip
        # Copies of a micrograph tie: `evaluate` ranks them one by one, the resample at once.
        assert matched.average_precision(np.array(weight)) == pytest.approx(result.ap, abs=0.02)
    assert matched.average_precision(np.array([0, 1, 0])) == pytest.approx(
        evaluate({"b": found["b"]}, {"b": Truth.from_xy("b", truth.on("b").x_px,
                 truth.on("b").y_px)}, DIAMETER, {"b": SHAPE}, border="scored").ap
    )  # fmt: skip


def test_resamples_are_fixed_and_of_the_same_size() -> None:
    first = resamples("apof_r", 8, 50)
    assert (first.sum(1) == 8).all()
    assert (first == resamples("apof_r", 8, 50)).all()
    assert not (first == resamples("bgal_r", 8, 50)).all()


def test_interval_is_of_percentiles() -> None:
    assert interval(np.arange(1001)) == pytest.approx((25.0, 975.0))
    assert interval([*range(1001), float("nan")], 0.9) == pytest.approx((50.0, 950.0))


def test_false_picks_are_named_by_mask_then_decoy(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[25:36, 20:40] = 2
    Image.fromarray(mask).save(tmp_path / "a.png")
    matched = match_picks(PICKS, TRUTH, ("a", "b"), SHAPE, DIAMETER, "ignored")
    half = split(tmp_path, masks=tmp_path)
    assert false_kinds(matched, half, DIAMETER, 1 / 3) == {}
    # Both hits: the fragment has no mask and is a decoy; the double pick lies on carbon.
    assert false_kinds(matched, half, DIAMETER, 2 / 3) == {"fragment": 1, "carbon": 1}
    assert false_kinds(matched, half, DIAMETER, 0.7) is None


def test_precision_by_defocus_counts_each_third(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    defocus = {"a": 20_000.0, "b": 10_000.0, "c": 30_000.0}
    matched = match_picks(PICKS, TRUTH, names, SHAPE, DIAMETER)
    half = Split(tmp_path, tmp_path, names, SHAPE, TRUTH, defocus)
    rows = precision_by_defocus(matched, half, 0.0)
    assert rows is not None
    assert [(r["defocus_um"], r["true"], r["picks"]) for r in rows] == [
        (1.0, 1, 1),
        (2.0, 1, 4),
        (3.0, 0, 0),
    ]
    no_defocus = Split(tmp_path, tmp_path, names, SHAPE, TRUTH)
    assert precision_by_defocus(matched, no_defocus, 0.5) is None
    assert precision_by_defocus(matched, split(tmp_path), 0.5) is None


def test_views_fold_and_bin() -> None:
    rows = [("a", 0, 0, False, "particle", t) for t in (0, 180, 90, 100, -30, 60)]
    truth = table(*rows)
    assert folded_tilt(truth).tolist() == [0, 0, 90, 80, 30, 60]
    # cos of the tilt in thirds: 1 -> 2, 0 -> 0, cos 80 = 0.17 -> 0, cos 30 -> 2, cos 60 -> 1
    assert (view_bins(truth) // 3).tolist() == [2, 2, 0, 0, 2, 1]
    assert seen_views(truth, truth).tolist() == [True, True, False, False, True, False]
    views = [{"found": 5, "particles": 19}, {"found": 18, "particles": 20}]
    assert worst_bin([*views, {"found": 30, "particles": 40}]) == 0.75
    assert worst_bin(views[:1]) is None


def test_measure_agrees_with_sums_by_hand(tmp_path: Path) -> None:
    half = split(tmp_path)
    data = BenchSet("own_test", 5.0, 100.0, True, half, half)
    figures = measure(data, half, Picked(PICKS, 0.5), None)
    assert figures["ap"] == pytest.approx((1 + 2 / 5) / 3)
    assert figures["auto_precision"] == pytest.approx(1 / 4)
    assert figures["auto_recall"] == pytest.approx(1 / 3)
    # the best cut is after the first pick: one right of one, one found of three
    assert figures["best_f1"] == pytest.approx(max(2 * 1 / (1 + 3), 2 * 2 / (5 + 3)))
    assert figures["border_ignored"] == {
        "ap": pytest.approx((1 + 2 / 4) / 3),
        "best_f1": pytest.approx(2 * 2 / (4 + 3)),
        "best_f1_iou50": pytest.approx(2 * 2 / (4 + 3)),
        "auto_precision": pytest.approx(1 / 3),
        "auto_recall": pytest.approx(1 / 3),
    }
    # One of them on two micrographs, 4 px from the last column: not on the border.
    assert figures["border_false"] == {"on": 0.0, "radius": 0.5}
    # The hit at best F1 is 5 px away; the diameter is 20 px.
    assert figures["localisation"] == pytest.approx(5 / 20)
    assert figures["true_per_test_micrograph"] == 2.0
    assert len(figures["resampled_ap"]) == 400
    json.dumps(figures, allow_nan=False)


def test_squares_reach_further_than_a_quarter_of_the_diameter(tmp_path: Path) -> None:
    half = split(tmp_path)
    data = BenchSet("own_test", 5.0, 100.0, True, half, half)
    # 6 px beside a particle of 20: squares overlap by 14 x 20, IoU 280 / 520.
    one = (*zip(PICKS["a"].x_px, PICKS["a"].y_px, PICKS["a"].score, strict=True), (66, 60, 2.5))
    figures = measure(data, half, Picked({**PICKS, "a": picks("a", *one)}, 0.5), None)
    # best after the first pick, and after all six
    assert figures["best_f1"] == pytest.approx(2 * 1 / (1 + 3))
    assert figures["best_f1_iou50"] == pytest.approx(2 * 3 / (6 + 3))
    assert figures["border_ignored"]["best_f1"] == pytest.approx(2 * 2 / (5 + 3))
    assert figures["border_ignored"]["best_f1_iou50"] == pytest.approx(2 * 3 / (5 + 3))


def test_picks_csv_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "picks.csv"
    path.write_text(
        "micrograph,x_px,y_px,score,probability,selected\n"
        "a.mrc,1.5,2.25,3,0.95257,1\na.mrc,4,5,-1,0.26894,0\nb.mrc,7,8,0.5,0.62246,1\n"
    )
    picked = read_picked(path)
    assert picked.threshold == 0.5
    assert picked.picks["a"].x_px.tolist() == [1.5, 4.0]
    assert picked.picks["b"].probability.tolist() == [0.62246]


def test_truth_without_edges_finds_them(tmp_path: Path) -> None:
    path = tmp_path / "particles.csv"
    path.write_text("micrograph,x_px,y_px\nm.mrc,9.9,50\nm.mrc,10,50\nm.mrc,50,89.5\n")
    truth = read_truth(path, SHAPE, DIAMETER)
    assert truth.edge.tolist() == [True, False, True]
    assert truth.name.tolist() == ["m", "m", "m"]
    assert np.isnan(truth.tilt).all()


def test_published_draws_are_valid_rows() -> None:
    published = json.loads(FILE.read_text())
    assert set(published["sets"]) == {"apof_r", "bgal_r", "gpcrgs_r", "real"}
    for name, entry in published["sets"].items():
        assert re.fullmatch("[0-9a-f]{64}", entry["table_sha256"])
        draws = parse(entry["draws"])
        assert set(draws) - {HALF_VIEWS} == set(DRAWS)
        assert (HALF_VIEWS in draws) == (name != "real")
        for count, some in draws.items():
            wanted = int(count.split()[0])
            assert len(some) == (DRAWS.get(count, 5) if len(some[0]) == wanted else 1)
            for rows in some:
                assert rows == sorted(set(rows))
                assert 0 <= rows[0] and rows[-1] < entry["rows"]
                assert len(rows) == wanted or len(rows) > 0.8 * entry["rows"]
            assert len({tuple(rows) for rows in some}) == len(some)


def test_draws_take_whole_particles_and_few_come_from_one_micrograph(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"m{k % 3}", 50, 50, k % 7 == 0, "fragment" if k % 11 == 0 else "particle", t)
        for k, t in enumerate(rng.uniform(0, 180, 400))
    ]
    truth = table(*rows)
    draws = make_draws("some", truth)
    assert draws == make_draws("some", truth) != make_draws("other", truth)
    drawable = set(truth.drawable.row.tolist())
    for some in draws.values():
        assert all(set(rows) <= drawable for rows in some)
    assert [len(rows) for rows in draws["15"]] == [15] * 10
    assert {len(np.unique(truth.keep(np.array(r)).name)) for r in draws["15"]} == {1}
    assert {str(truth.name[r[0]]) for r in draws["15"]} == {"m0", "m1", "m2"}
    assert [len(r) for r in draws["1000"]] == [len(drawable)]
    half = truth.keep(np.array(draws[HALF_VIEWS][0]))
    assert folded_tilt(half).max() <= np.median(folded_tilt(truth.drawable))
    assert write_labels(tmp_path / "labels.csv", truth, draws["15"][0]) == 1
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 16


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_fourier_resize_samples_the_same_wave(factor: float) -> None:
    def wave(h: int, w: int, step: float) -> np.ndarray:
        y, x = np.mgrid[:h, :w] * step
        phase = 2 * np.pi * (3 * y / 40 + 5 * x / 60)
        return (2 + np.cos(phase + 0.3)).astype(np.float32)

    shape = (round(40 / factor), round(60 / factor))
    resized = fourier_resize(wave(40, 60, 1.0), shape)
    assert np.abs(resized - wave(*shape, factor)).max() < 1e-5
    with pytest.raises(ValueError, match="even"):
        fourier_resize(np.zeros((41, 60), np.float32), (20, 30))


def test_shards_share_the_work_and_keep_trainings_together(tmp_path: Path) -> None:
    half = split(tmp_path)
    sets = [BenchSet(n, 5.0, 100.0, True, half, half) for n in ("s", "t")]
    draws = {n: {"15": [[0]] * 3, "200": [[0]] * 2, HALF_VIEWS: [[0]]} for n in ("s", "t")}
    runs = main_runs(sets, draws, ("none", "15", "200"), None, "general")
    assert len(runs) == 2 + 2 + 2 * 3 + 2 * 2
    assert runs.index(Run("t", "200", 0)) < runs.index(Run("s", "15", 1))
    assert Run("s", "none", 0) not in main_runs(sets, draws, ("none",), None, "none")
    robust = robustness_runs(sets, draws, ("none",), 2, "general")
    for every in (runs, robust):
        parts = [shard(every, f"{k}/3") for k in range(3)]
        assert sorted(str(run) for part in parts for run in part) == sorted(map(str, every))
        trainings = [{run.training for run in part} - {None} for part in parts]
        assert not (trainings[0] & trainings[1] | trainings[1] & trainings[2])
    assert Run("s", "200", 0, "half_views") in robust
    assert Run("s", "200", 1, "half_views") not in robust
    assert [str(r) for r in only(runs, "s/15/0,2")] == ["s-15-d0-main", "s-15-d2-main"]
    with pytest.raises(SystemExit, match="i/n"):
        shard(runs, "3/3")


def test_recorded_figures_are_those_of_the_longest_training() -> None:
    assert topaz_ap("apof_r", "200") == 0.933
    assert topaz_ap("bgal_r", "200") == 0.918
    assert topaz_ap("bgal_r", "none") is None
    assert f1_by_squares(TOPAZ, "gpcrgs_r", "15") == 0.871
    assert f1_by_squares(AVERAGE, "apof_r", "15") == 0.964
    assert f1_by_squares(AVERAGE, "real", "15") is None
    kinds = topaz_false_kinds("bgal_r")
    assert kinds is not None and sum(kinds.values()) == 67
    # 67 false picks at best F1 and so many right ones of 501: the recall and F1 must agree.
    recall = topaz_recall("bgal_r")
    assert recall is not None
    right = round(recall * 501)
    assert 2 * right / (right + 67 + 501) == pytest.approx(0.894, abs=5e-4)
