"""What log and messages say: once, in words, without internals, never without an end."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostpick.errors import ConfigError, first_of, listed
from frostpick.settings import PickSettings, TrainSettings, resolve
from frostpick.training.picker.why_kept import why_kept
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.cli.relion_job import read_command_line
from frostpick_jobs.formats import PickTable
from frostpick_jobs.inputs.label_matching import labels_for
from frostpick_jobs.tasks.declarations import task_named, tasks_on
from frostpick_jobs.tasks.pick.threshold import Threshold, log_threshold

LONGEST = 300
OWN = ["--o", "External/job002/"]


@pytest.mark.parametrize("task", [task.name for task in tasks_on("relion")])
def test_known_labels_are_shown_once_without_internals(task: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_command_line(task_named(task), [*OWN, "--qqqqqqqq", "1"])
    text = str(error.value)
    assert len(text) <= LONGEST
    names = text.partition("known are ")[2].partition(" and ")[0].split(", ")
    assert len(names) == len(set(names)) > 5
    assert len({name.replace("-", "_") for name in names}) == len(names)
    assert not {"o", "j", "in_mask", "in_mics", "pipeline_control", "help"} & set(names)


def test_an_internal_is_no_near_match_either() -> None:
    with pytest.raises(ConfigError) as error:
        read_command_line(task_named("pick"), [*OWN, "--in_masks", "1"])
    assert "in_mask?" not in str(error.value) and "in_movies" not in str(error.value)


def test_unknown_settings_of_a_file_are_cut_too() -> None:
    with pytest.raises(ConfigError) as error:
        resolve(TrainSettings, ("job.yaml", {"qqqqqqqq": 1}))
    assert len(str(error.value)) <= LONGEST and " more" in str(error.value)


@pytest.mark.parametrize(
    ("names", "most", "text"),
    [
        ([], 20, ""),
        (["a", "b"], 20, "a, b"),
        (["aaaa", "bbbb", "cccc"], 10, "aaaa, bbbb and 1 more"),
        (["a" * 30, "b"], 10, "a" * 30 + " and 1 more"),
        ([3, Path("x")], 20, "3, x"),
    ],
)
def test_lists(names: Any, most: int, text: str) -> None:
    assert listed(names, most) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), ([*"abcd"], "a, b and 2 more")],
)
def test_the_first_of_a_list(names: list[str], text: str) -> None:
    assert first_of(names, 2) == text


@pytest.mark.parametrize(
    "words",
    [
        ["precision", "=", "0.9"],
        ["precision=", "0.9"],
        ["precision", "=0.9"],
        ["=", "precision", "=", "0.9"],
        ["precision = 0.9"],
        ["precision=0.9"],
    ],
)
def test_blanks_around_the_sign_of_a_value(words: list[str]) -> None:
    argv = [*OWN, "--threshold", *words, "--diameter", "-3e-1", "--j", "2"]
    with pytest.raises(ConfigError, match="diameter = '-3e-1'"):
        read_command_line(task_named("pick"), argv)
    argv[argv.index("-3e-1")] = "130"
    settings = read_command_line(task_named("pick"), argv)[1]
    assert isinstance(settings, PickSettings)
    assert (settings.threshold.kind, settings.threshold.value) == ("precision", 0.9)
    assert (settings.diameter, settings.threads) == (130, 2)


def test_a_stray_word_is_shown() -> None:
    with pytest.raises(ConfigError, match="stray word '=7'"):
        read_command_line(task_named("pick"), ["=7", *OWN])


def test_thresholds_without_picks_have_no_numbers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_threshold(Threshold(0.25, "auto", frozen=False), np.array([0.3, -1.0, -2.0]))
    rows = [r.message.split() for r in caplog.records if r.message.startswith("   ")]
    assert "nan" not in caplog.text
    assert [row[1:4] for row in rows if float(row[0]) > 0.31] == [["0", "-", "-"]] * 5
    (chosen,) = [row for row in rows if row[-1] == "chosen"]
    p = 1 / (1 + math.exp(-0.3))
    assert chosen[1:3] == ["1", f"{p:.3f}"]


def test_labels_are_told_once_and_so_is_their_re_centring(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shift = np.array([[4.0, 0.0], [0.0, 0.0], [0.0, -2.0]])
    x = np.array([10.0, 20.0, 30.0])
    table = PickTable(Path("p.star"), "star", ("a.mrc",) * 3, x, x, shift_A=shift)
    still = PickTable(Path("q.star"), "star", ("a.mrc",), x[:1] + 5, x[:1] + 5)
    micrograph = Micrograph("a.mrc", LocalFile(Path("a.mrc")), pixel_size_A=2.0, shape=(64, 64))
    with caplog.at_level(logging.INFO):
        found = labels_for([table, still], [micrograph])["a.mrc"]
    assert found.x_px.tolist() == [8.0, 20.0, 30.0, 15.0]
    told = [r.message for r in caplog.records]
    assert told.count("p.star: 2 particles are re-centred by their alignment") == 1
    assert sum("re-centred" in line for line in told) == 1
    assert sum("labels on" in line for line in told) == 1


def rows(*figures: float) -> list[dict[str, float]]:
    """Return measurements at 50, 100, ... steps."""
    return [{"step": 50.0 * n, "held_out_ap": ap} for n, ap in enumerate(figures, 1)]


@pytest.mark.parametrize(
    ("figures", "chosen", "said"),
    [
        ((0.2, 0.5, 0.7, 0.8), 200, "the last and best, average precision 0.800 on the"),
        (
            (0.9, 0.5, 0.82, 0.8),
            200,
            "the last, average precision 0.800 on the held-out labels;",
        ),
        ((0.9, 0.5, 0.82, 0.8), 200, "step 150 had 0.820, and a later one is kept unless"),
        ((0.9, 0.5, 0.9, 0.6), 150, "average precision 0.900 on the held-out labels; those after"),
        ((), 200, "the last, for nothing is held out to choose by"),
    ],
)
def test_why_a_step_is_kept(figures: tuple[float, ...], chosen: int, said: str) -> None:
    text = why_kept(rows(*figures), chosen, first=120, later=0.05)
    assert said in text and "200 had" not in text and len(text) < LONGEST


def test_why_a_step_is_kept_tells_what_an_average_precision_of_few_labels_means() -> None:
    """.18 of incomplete labels is no bad model where nearly all held-out labels are found."""
    measured = [{**row, "held_out_recall": 0.96} for row in rows(0.1, 0.3, 0.18)]
    text = why_kept(measured, 150, first=50, later=0.5)
    assert "0.180 on the held-out labels, 96% of them found (unlabelled particles count" in text
    assert len(text) < LONGEST
