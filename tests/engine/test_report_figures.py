"""Figures: things stand where hand-made numbers say, and odd data draw without a warning."""

from __future__ import annotations

import io
import math

import matplotlib
import numpy as np
import pytest
from PIL import Image

from frostpick.picking.held_out import HeldOutLabels
from frostpick.picking.null import NoiseSample
from frostpick.report import (
    Figure,
    box_mosaic,
    calibration_plot,
    expected_precision_recall,
    expected_table,
    picks_on_micrograph,
    picks_per_micrograph,
    precision_recall_compared,
    score_histogram,
    training_curves,
)
from frostpick.report.accuracy import reliability
from frostpick.report.circles import round_length
from frostpick.report.decisions import decisions_on_micrograph
from frostpick.report.encode import LEVELS, encode, palette_png
from frostpick.report.figure import printable, slug
from frostpick.report.micrographs import near_threshold
from frostpick.report.outcome import compare
from frostpick.report.pruning import decisions_by_reason, worth_of_merit
from frostpick.report.scores import histogram_edges, kept_histogram
from frostpick.report.verified import verified_rows
from frostpick.types import Picks


def pixels(figure: Figure) -> np.ndarray:
    with Image.open(io.BytesIO(figure.png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


GREY = np.full((60, 100), 128, np.uint8)


def image_area(rgb: np.ndarray) -> tuple[int, int, int, int]:
    """Return top, bottom, left, right of the drawn preview, a plane of grey 128."""
    grey = (np.abs(rgb - 128) <= 2).all(axis=2)
    rows = np.flatnonzero(grey.mean(axis=1) > 0.4)
    columns = np.flatnonzero(grey[rows].mean(axis=0) > 0.4)
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def ring(rgb: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """Return centre x, y and outer width of coloured pixels, in preview pixels."""
    top, bottom, left, right = image_area(rgb)
    y, x = np.nonzero(mask[top:bottom, left:right])
    per_px = (right - left) / GREY.shape[1]
    assert (bottom - top) / GREY.shape[0] == pytest.approx(per_px, rel=0.01)
    centre = [(v.min() + v.max() + 1) / 2 / per_px - 0.5 for v in (x, y)]
    return centre[0], centre[1], (x.max() - x.min() + 1) / per_px


def test_circle_is_at_the_pick_and_has_the_diameter() -> None:
    figure = picks_on_micrograph(GREY, [800.0], [150.0], [9.0], [True], 0.1, 120.0, "a.mrc")
    rgb = pixels(figure)
    r, g, b = np.moveaxis(rgb, 2, 0)
    x, y, width = ring(rgb, (r > 180) & (g > 170) & (b < 110))
    assert (x, y) == (pytest.approx(80.0, abs=0.25), pytest.approx(15.0, abs=0.25))
    assert width == pytest.approx(12.0, abs=0.6)
    assert figure.is_micrograph
    assert "1 selected pick," in figure.caption and "Row 0" in figure.caption


def test_low_probability_has_another_colour_and_pale_picks_are_grey() -> None:
    unsure = pixels(picks_on_micrograph(GREY, [800], [150], [-1.0], [True], 0.1, 120, "a"))
    r, g, b = np.moveaxis(unsure, 2, 0)
    x, y, _ = ring(unsure, (g > r + 40) & (b > r + 40))
    assert (x, y) == (pytest.approx(80.0, abs=0.25), pytest.approx(15.0, abs=0.25))
    pale = picks_on_micrograph(GREY, [800], [150], [-3.0], [False], 0.1, 120, "a")
    rgb = pixels(pale)
    top, bottom, left, right = image_area(rgb)
    assert np.ptp(rgb[top:bottom, left:right], axis=2).max() <= 12
    assert rgb[top:bottom, left:right].max() > 150
    assert "1 pick below the threshold is thin and pale" in pale.caption


def test_of_the_picks_below_the_threshold_only_the_next_ones_are_drawn() -> None:
    """Five far below it, sixty near it: the best forty of those are drawn, and all are counted."""
    x = np.array([50.0, *range(100, 700, 10), 800, 850, 900, 950, 970])
    score = np.array([2.0, *np.linspace(0.1, 0.9, 60), *[-0.5] * 5])
    given = (np.full(66, 300.0), score, score >= 1.0, 0.1, 40.0, "a")
    figure = picks_on_micrograph(GREY, x, *given, threshold=1.0)
    assert "65 picks below the threshold, the 40 next to it thin and pale" in figure.caption
    near = near_threshold(score, score >= 1.0, 1.0)
    assert near.tolist() == list(range(60, 20, -1))
    rgb = pixels(figure)
    top, bottom, left, right = image_area(rgb)
    inside = rgb[top:bottom, left:right]
    far = inside[:, round(0.78 * inside.shape[1]) :]
    assert (np.abs(far - 128) <= 2).all()
    assert near_threshold(score[61:], score[61:] >= 1.0, 1.0).tolist() == []
    # without a threshold what is selected tells it, else the best
    assert near_threshold(np.array([3.0, 1.5, 2.5]), np.array([True, False, False])).tolist() == [2]
    assert near_threshold(np.array([3.0, 1.5, 2.5]), np.zeros(3, bool)).tolist() == [0, 2]


def test_with_truth_found_false_and_missed_have_their_own_colours() -> None:
    figure = picks_on_micrograph(
        GREY,
        [200.0, 500.0],
        [150.0, 450.0],
        [2.0, 1.0],
        [True, True],
        0.1,
        120.0,
        "a",
        truth_xy=[[210.0, 150.0], [850.0, 300.0]],
    )
    assert "1 found, 1 false, 1 missed" in figure.caption
    rgb = pixels(figure)
    r, g, b = np.moveaxis(rgb, 2, 0)
    for mask, place in (
        ((b > r + 80) & (b > 180), (20.0, 15.0)),
        ((r > 180) & (g < 120) & (b < 60), (50.0, 45.0)),
        ((r > 200) & (g > 190) & (b < 110), (85.0, 30.0)),
    ):
        x, y, _ = ring(rgb, mask)
        assert (x, y) == (pytest.approx(place[0], abs=0.6), pytest.approx(place[1], abs=0.6))


def test_outcome_follows_the_scoring_rule() -> None:
    xy = np.array([[100.0, 100.0], [104.0, 100.0], [300.0, 300.0], [5.0, 200.0], [8.0, 400.0]])
    score = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    truth = np.array([[103.0, 100.0], [500.0, 500.0], [5.0, 200.0], [990.0, 600.0]])
    cut = np.array([False, False, True, True])
    outcome = compare(xy, score, truth, cut, 40.0, (1000, 1000))
    assert outcome.found.tolist() == [[104.0, 100.0]]  # the better score takes the particle
    assert outcome.false.tolist() == [[100.0, 100.0], [300.0, 300.0]]
    assert outcome.ignored.tolist() == [[5.0, 200.0], [8.0, 400.0]]
    assert outcome.missed.tolist() == [[500.0, 500.0]]
    strict = compare(xy, score, truth, None, 40.0, (1000, 1000))
    assert len(strict.found) == 2 and len(strict.missed) == 2 and len(strict.ignored) == 0


@pytest.mark.parametrize("shape", [(1, 1), (40, 400), (400, 40), (50, 50)])
@pytest.mark.parametrize("value", [0, 255])
def test_micrographs_of_any_shape_draw(shape: tuple[int, int], value: int) -> None:
    preview = np.full(shape, value, np.uint8)
    empty = np.zeros(0)
    picks_on_micrograph(preview, empty, empty, empty, empty, 1, 10, "a", pixel_size_A=1.5)
    picks_on_micrograph(preview, [1, np.nan], [1, 2], [0, 0], [1, 1], 1, 10, "a", empty)


def test_hostile_titles_are_only_text() -> None:
    title = "mic$\\frac{1}{$_{^日本\udcff\n<script>"
    figure = picks_on_micrograph(GREY, [1], [1], [1], [1], 1, 10, title)
    assert figure.name == "picks_on_mic__frac_1" + 11 * "_" + "script_"
    assert printable("日x\n") == "?x?"
    assert printable("a" * 50 + "b" * 50, 10) == "aaa…bbbbbb"
    assert slug("a/b c.mrc") == "a_b_c.mrc"


@pytest.mark.parametrize(
    ("length", "expected"),
    [(999.0, 500.0), (1000.0, 1000.0), (0.3, 0.2), (7.0, 5.0), (20.0, 20.0), (199.9, 100.0)],
)
def test_scale_bar_has_a_round_length(length: float, expected: float) -> None:
    assert round_length(length) == pytest.approx(expected)


@pytest.mark.parametrize("threshold", [-0.3, 0.0, 1.7, 50.0, math.inf, math.nan])
def test_histogram_bins_hold_all_and_part_at_the_threshold(threshold: float) -> None:
    values = np.random.default_rng(3).normal(0, 2, 500)
    edges = histogram_edges(values, threshold)
    counts = np.histogram(values, edges)[0]
    assert counts.sum() == 500
    assert np.allclose(np.diff(edges), edges[1] - edges[0])
    if values.min() < threshold < values.max():
        at = int(np.argmin(np.abs(edges - threshold)))
        assert edges[at] == pytest.approx(threshold, abs=1e-12)
        assert counts[at:].sum() == (values >= threshold).sum()


def test_expected_table_against_a_hand_sum() -> None:
    scores = [logit(0.3), logit(0.9), logit(0.6)]
    table = expected_table(scores, 0.0)
    assert table.marked is not None
    # 0.9 + 0.6 of 2 picks; 1.5 of 1.8 expected particles
    assert table.rows[table.marked] == ("0.000", "0.500", "2", "75.0%", "83.3%")
    lowest, highest = table.rows[0], table.rows[-1]
    assert lowest[1:] == ("0.001", "3", "60.0%", "100.0%")
    assert highest[2:] == ("0", "–", "–")
    caption = expected_precision_recall(scores, 0).caption
    assert "precision 75.0%, recall of what the model can see 83.3%" in caption
    assert table.columns[-1] == "recall of what the model can see"
    own = expected_table(scores, 0.123)
    assert own.marked is not None and own.rows[own.marked][0] == "0.123"
    assert len(own.rows) == len(table.rows) + 1
    assert expected_table([], math.nan).marked is None


def test_recall_is_by_held_out_labels_where_there_are_any() -> None:
    scores = [logit(0.3), logit(0.9), logit(0.6)]
    # one of two labels is found at 0, none at the highest level; half of a label on either side
    held = HeldOutLabels(np.array([1.0, -np.inf]))
    table = expected_table(scores, 0.0, held)
    assert table.marked is not None and table.columns[-1] == "recall of 2 held-out labels"
    assert table.rows[table.marked][2:] == ("2", "75.0%", "50.0% (6.1% to 93.9%)")
    assert table.rows[-1][-1].startswith("0.0% (0.0% to ")
    caption = expected_precision_recall(scores, 0.0, held_out=held).caption
    assert "recall of 2 held-out labels 50.0% (6.1% to 93.9%)" in caption
    assert "what the model can see" not in caption


def test_what_noise_leaves_of_precision_is_drawn_where_it_is_known() -> None:
    scores = [logit(0.3), logit(0.9), logit(0.6)]
    picks = [
        Picks.from_xy("m", [9, 9, 9], [9, 9, 9], score=np.array(s)) for s in (scores, [1, 2, 3])
    ]
    noise = [NoiseSample.of(*picks, (400, 400), 20.0, 10.0)]
    plain, drawn = (expected_precision_recall(scores, 0.0, one) for one in ((), noise))
    assert "junk is not counted" in drawn.caption and "junk" not in plain.caption
    assert drawn.png != plain.png


def test_the_first_row_of_the_table_holds_the_least_likely_picks_that_are_kept() -> None:
    assert expected_table([logit(0.9), logit(0.0011)], math.nan).rows[0][2] == "2"


@pytest.mark.parametrize(
    ("scores", "threshold"),
    [
        ([], 0.0),
        ([], math.nan),
        ([1.0], 1.0),
        ([2.0] * 50, -100.0),
        ([2.0] * 50, math.nan),
        ([np.nan, np.inf, 1.0], 2.0),
        ([-3.0, 4.0], math.inf),
        ([-1e300, 1e300], 0.0),
    ],
)
def test_odd_scores_draw(scores: list[float], threshold: float) -> None:
    finite = np.isfinite(np.asarray(scores, float))
    figure = score_histogram(scores, threshold)
    assert f"{finite.sum():,} picks above the floor" in figure.caption
    expected_precision_recall(scores, threshold)


def test_histogram_caption_counts_the_selected() -> None:
    caption = score_histogram([-2.0, -1.0, 0.5, 0.5, 3.0], 0.5).caption
    assert "5 picks above the floor, below which none is kept. 3 at or above" in caption


def test_histogram_of_rows_counts_what_the_bars_count() -> None:
    """Six rows: one not read, two kept, of three above the threshold one a duplicate."""
    scores = [-2.0, math.nan, 0.5, 0.6, 3.0, -1.0]
    kept = np.array([False, False, False, True, True, False])
    caption = kept_histogram(scores, 0.5, kept).caption
    assert "All 6 rows: 2 kept, 3 rejected, 1 not read and without a score" in caption
    assert "1 at or above it is rejected as a duplicate" in caption
    bars = decisions_by_reason({"kept": 2, "low score": 2, "duplicate": 1, "not read": 1})
    assert "all 6 rows" in bars.caption
    none = kept_histogram([math.nan] * 3, 0.5, np.zeros(3, bool)).caption
    assert "All 3 rows: 0 kept, 0 rejected, 3 not read" in none


def test_kept_and_rejected_rows_stand_on_their_micrograph() -> None:
    """A kept row at (800, 150) and two rejected ones, of different reasons, in full pixels."""
    figure = decisions_on_micrograph(
        GREY,
        [800.0, 200.0, 500.0],
        [150.0, 450.0, 300.0],
        [True, False, False],
        0.1,
        120.0,
        "a.mrc",
        {"ice": 1, "carbon": 0, "low score": 1},
    )
    assert figure.is_micrograph
    assert figure.caption.startswith("a.mrc: 1 kept, 2 rejected (1 ice, 1 low score).")
    rgb = pixels(figure)
    r, g, b = np.moveaxis(rgb, 2, 0)
    x, y, width = ring(rgb, (b > r + 80) & (b > 180))
    assert (x, y) == (pytest.approx(80.0, abs=0.3), pytest.approx(15.0, abs=0.3))
    assert width == pytest.approx(12.0, abs=0.8)
    x, y, _ = ring(rgb, (r > 180) & (g < 120) & (b < 60))
    assert (x, y) == (pytest.approx(35.0, abs=0.6), pytest.approx(37.5, abs=0.6))


def test_verified_rows_show_probability_and_spread() -> None:
    """Two of three read rows above even odds; the middle one of the spreads .1, .2 and .9."""
    caption = verified_rows([2.0, -1.0, 0.5, math.nan], [0.1, 0.2, 0.9, math.nan]).caption
    assert "3 rows, none dropped: 2 have a probability of one half or more" in caption
    assert "median spread 0.20" in caption and "1 were not read" in caption
    assert verified_rows([math.nan], [math.nan]).caption == "None of 1 rows has a score."
    rng = np.random.default_rng(0)
    score = rng.normal(0, 3, 400)
    flat, steep = (pixels(verified_rows(score, d)) for d in (np.full(400, 0.3), abs(score)))
    assert not np.array_equal(flat, steep)
    verified_rows([1e30, -1e30], [0.0, 0.0])


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{}],
        [{"step": 0, "loss": 1.0}],
        [{"step": i, "loss": math.nan, "held_out_ap": math.inf} for i in range(3)],
        [{"step": i, "loss": 1.0, "held_out_ap": None, "odd": "text"} for i in range(3)],
        [{"epoch": i, "loss_positive": 1 / (i + 1), "learning_rate": 1e-3} for i in range(40)],
    ],
)
def test_any_training_record_draws(rows: list[dict[str, float]]) -> None:
    assert pixels(training_curves(rows)).size


def test_training_caption_names_what_is_drawn_and_the_kept_step() -> None:
    rows = [
        {"step": 10 * i, "loss": 1.0, "held_out_ap": 0.5, "seconds": 3.0, "chosen": i == 2}
        for i in range(4)
    ]
    caption = training_curves(rows).caption
    assert caption.startswith(
        "Training: loss, AP against the labels given. The dotted line is the kept step, 20. AP"
        " takes particles that nobody labelled for false picks"
    )
    assert "kept step, 30" in training_curves(rows, chosen_step=30).caption
    both = training_curves([{**row, "held_out_recall": 0.9} for row in rows])
    assert "loss, held-out labels found, AP against the labels given" in both.caption
    assert "Found: among as many picks as particles are expected" in both.caption


def test_counts_per_micrograph() -> None:
    caption = picks_per_micrograph([10, 20, 60], [1, 3]).caption
    assert "3 micrographs" in caption and "90 in all, median 20" in caption
    assert "2 could not be used (red crosses)." in caption
    for counts, failed in (([], 0), ([], 5), ([0], 0), ([7] * 30, 2), (np.zeros(3), [0])):
        picks_per_micrograph(counts, failed)


def test_reliability_against_a_hand_sum() -> None:
    count, told, seen = reliability([0.1, 0.3, 0.9, 1.0], [0, 1, 1, 1], 2)
    assert count.tolist() == [2, 2]
    assert told == pytest.approx([0.2, 0.95])
    assert seen == pytest.approx([0.5, 1.0])
    # (2 * 0.3 + 2 * 0.05) / 4
    assert "error 0.175" in calibration_plot([0.1, 0.3, 0.9, 1.0], [0, 1, 1, 1], 2).caption


def test_curves_and_boxes_of_odd_sizes_draw() -> None:
    calibration_plot([], [])
    calibration_plot([np.nan, 0.5], [1, 1])
    precision_recall_compared({})
    figure = precision_recall_compared({"ours": ([0, 1], [1, 0.5], 0.75), "blob": ([0.5], [0.5])})
    assert "ours (AP 0.750); blob" in figure.caption
    box_mosaic([])
    box_mosaic([np.full((4, 4), np.nan), np.ones((8, 5)), [[1.0]]], ["a", "b"])
    assert pixels(box_mosaic([np.eye(8)] * 200)).size
    # two lines of text are drawn whole: the longest reason is not cut
    whole = box_mosaic([np.eye(8)], ["-1.5\nnot particle"], columns=6)
    other = box_mosaic([np.eye(8)], ["-1.5\nnot a-rticle"], columns=6)
    assert not np.array_equal(pixels(whole), pixels(other))


def test_same_input_gives_the_same_bytes_and_leaves_no_trace() -> None:
    before = dict(matplotlib.rcParams)
    values = np.linspace(-4, 4, 99)
    first, second = (score_histogram(values, 0.5) for _ in range(2))
    assert first == second
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"text.color": "red", "font.size": 30, "axes.facecolor": "black"}):
        assert score_histogram(values, 0.5) == first


def test_palette_keeps_greys_and_the_few_colours() -> None:
    rng = np.random.default_rng(0)
    rgb = np.repeat(rng.integers(0, 256, (80, 90, 1)), 3, axis=2).astype(np.uint8)
    rgb[10, 5:20] = (86, 180, 233)
    rgb[40, 5:20] = (213, 94, 0)
    with Image.open(io.BytesIO(palette_png(rgb))) as image:
        back = np.asarray(image.convert("RGB"))
    assert np.abs(back.astype(int) - rgb).max() <= 2
    assert (back[10, 5:20] == (86, 180, 233)).all() and (back[40, 5:20] == (213, 94, 0)).all()


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_encoded_pictures_keep_their_proportions(level: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 1400, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    small = encode(buffer.getvalue(), level)
    with Image.open(io.BytesIO(small.data)) as image:
        assert image.size == (small.width, small.height)
        assert Image.MIME[str(image.format)] == small.media
    assert small.width == LEVELS[level][0]
    assert small.height == pytest.approx(small.width / 2, abs=1)


def test_worth_of_merit_says_how_many_rows_it_is_from() -> None:
    """Three of five rows were learned from; and all of three."""
    given = ([0.1, 0.9], [0.2, 0.8], [1, 2])
    assert "from the scores of 3 of 5 rows" in worth_of_merit(*given, 5).caption
    assert "from the scores of all 3 rows" in worth_of_merit(*given, 3).caption
