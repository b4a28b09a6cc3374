import ast
import math
from pathlib import Path

import numpy as np
import pytest

from frostpick.errors import ConfigError
from frostpick.models.card import CalibrationSpec
from frostpick.picking import threshold
from frostpick.picking.calibration import calibrated, floor_logit
from frostpick.picking.threshold import choose_threshold, expected_table
from frostpick.settings import Threshold

pytestmark = pytest.mark.quick


def logit(p):
    return math.log(p / (1 - p))


# Expected particles of the best k: .9, 1.7, 2.2, 2.4, 2.5; expected F1 = 2 TP / (k + 2.5):
# .514, .756, .800, .738, .667. Expected precision: .9, .85, .733, .6, .5.
FIVE = np.array([logit(p) for p in (0.2, 0.9, 0.5, 0.1, 0.8)])


def test_auto_is_the_largest_expected_f1():
    assert choose_threshold(FIVE, "auto") == pytest.approx(logit(0.5))


@pytest.mark.parametrize(
    "wanted,expected", [(0.9, 0.9), (0.86, 0.9), (0.85, 0.8), (0.7, 0.5), (0.5, 0.1)]
)
def test_precision_is_the_lowest_threshold_that_keeps_it(wanted, expected):
    assert choose_threshold(FIVE, f"precision={wanted}") == pytest.approx(logit(expected))


def test_precision_out_of_reach_selects_nothing():
    assert choose_threshold(FIVE, "precision=0.95") > FIVE.max()


def test_equal_scores_are_selected_together():
    # Two of 0.9 and three of 0.3: TP 1.8 then 2.7 of 2.7; F1 .766 then .701.
    scores = np.array([logit(p) for p in (0.3, 0.9, 0.3, 0.9, 0.3)])
    assert choose_threshold(scores, "auto") == pytest.approx(logit(0.9))
    assert choose_threshold(scores, "precision=0.6") == pytest.approx(logit(0.9))
    assert choose_threshold(scores, "precision=0.54") == pytest.approx(logit(0.3))


def test_numbers_and_probabilities():
    assert choose_threshold(FIVE, "-1.5") == -1.5
    assert choose_threshold([], "p=0.6") == pytest.approx(logit(0.6))
    assert choose_threshold(FIVE, " P = 0.5 ") == pytest.approx(0.0)


def test_no_picks_at_all():
    assert choose_threshold(np.zeros(0), "auto") == 0.0
    assert choose_threshold([], "precision=0.9") == pytest.approx(logit(0.9))
    assert [row.count for row in expected_table([], [0.0, 1.0])] == [0, 0]


def test_parts_of_many_micrographs_are_one_job():
    parts = [FIVE[:2], np.zeros(0), FIVE[2:]]
    assert choose_threshold(iter(parts), "auto") == choose_threshold(FIVE, "auto")


def test_the_table_is_the_hand_sum():
    rows = expected_table(FIVE, [logit(0.45), logit(0.85), logit(0.95)])
    assert [row.count for row in rows] == [3, 1, 0]
    assert rows[0].precision == pytest.approx(2.2 / 3)
    assert rows[0].recall == pytest.approx(2.2 / 2.5)
    assert rows[1].recall == pytest.approx(0.9 / 2.5)
    assert math.isnan(rows[2].precision) and rows[2].recall == 0.0
    assert len(expected_table(FIVE)) == 11


@pytest.mark.parametrize(
    "text",
    ["", "best", "p=1.2", "p=0", "precision=95", "recall=0.5", "nan", "inf", "=0.5", "p=", "p"],
)
def test_wrong_rules(text):
    with pytest.raises(ConfigError, match="expected auto, a score"):
        Threshold.parse(text)


def test_two_million_scores():
    scores = np.random.default_rng(0).normal(0, 2, 2_000_000).astype(np.float32)
    assert -2 < choose_threshold(scores, "auto") < 1


def test_calibration_is_a_line_and_the_floor_its_inverse():
    line = CalibrationSpec(slope=0.5, offset=-1.0)
    assert calibrated([2.0, 4.0], line).tolist() == [0.0, 1.0]
    assert calibrated([floor_logit(line)], line)[0] == pytest.approx(logit(0.001))


#: Where a number called a threshold is compared with something else than scores of a job.
COMPARED = {
    "evaluation/result.py",  # figures of known particles, a layer beside this one
    "report/micrographs.py",  # how far below the threshold picks are drawn
    "report/scores.py",  # whether the line lies in the picture
    "training/prior.py",  # of a curve
}


def compared(source):
    """Lines that compare something with a threshold."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.Is | ast.IsNot):
            sides = [one for side in (node.left, *node.comparators) for one in ast.walk(side)]
            names = [getattr(one, "attr", getattr(one, "id", "")) for one in sides]
            found += [node.lineno] * any("threshold" in name for name in names)
    return found


@pytest.mark.parametrize("line", ["s >= threshold", "a < b.card.threshold", "t[0].threshold <= x"])
def test_a_comparison_is_found(line):
    assert compared(line) == [1] and not compared("threshold is None")


def test_scores_are_compared_with_a_threshold_in_one_place():
    package = Path(threshold.__file__).parents[1]
    own = Path(threshold.__file__).relative_to(package).as_posix()
    texts = {one.relative_to(package).as_posix(): one for one in package.rglob("*.py")}
    found = {name for name, path in texts.items() if compared(path.read_text(encoding="utf-8"))}
    assert found - {own} == COMPARED
