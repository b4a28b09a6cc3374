"""The rows at the top of a job's report say what a user looks for, in a user's words."""

import numpy as np
import pytest

from frostpick.report.scores import expected_table
from frostpick_jobs.job.outputs import PicksOutput, Report
from frostpick_jobs.job.report import job_report, summary_rows

PICK = {
    "task": "pick",
    "model": {"name": "blob", "digest": "0123456789abcdef"},
    "device": "cpu",
    "threads": 2,
    "diameter_A": 160.0,
    "min_distance_A": 80.0,
    "threshold": {"score": 0.0, "rule": "auto", "frozen": True},
    "counts": {"micrographs": 5, "failed": 1, "picks": 600, "selected": 480},
    "seconds": {"total": 125.2},
    "ended": "2026-01-02T03:04:05+00:00",
}


def test_rows_of_a_picking_job() -> None:
    assert summary_rows(PICK) == [
        ("micrographs picked", 5),
        ("micrographs failed", 1),
        ("picks selected", 480),
        ("picks above the floor", 600),
        ("threshold", "0.00 (p = 0.50, auto, frozen by an earlier run)"),
        ("model", "blob (0123456789ab)"),
        ("diameter", "160 A"),
        ("smallest distance", "80 A"),
        ("device", "cpu, 2 threads"),
        ("time", "2 min 5 s"),
        ("ended", "2026-01-02 03:04 UTC"),
    ]


def test_rows_name_the_version_of_a_shipped_model() -> None:
    shipped = {"general": {"version": "general-7", "digest": "0123456789abcdef"}}
    model = {"name": "general", "digest": "0123456789abcdef"}
    record = {**PICK, "model": model, "shipped": shipped}
    assert ("model", "general-7 (0123456789ab)") in summary_rows(record)
    trained = {"digest": "fedcba9876543210", "started_from": "general"}
    for task in ("train", "iterate"):
        rows = summary_rows({"task": task, "model": trained, "shipped": shipped})
        assert ("started from", "general-7") in rows and ("model", "fedcba987654") in rows
    own = {"task": "train", "model": {**trained, "started_from": "mine"}, "shipped": {}}
    assert ("started from", "mine") in summary_rows(own)
    both = {**shipped, "pruner": {"version": "pruner-3", "digest": "00"}}
    second = {"task": "iterate", "model": trained, "shipped": both, "second_opinion": "00 64 A"}
    assert ("second opinion", "pruner-3") in summary_rows(second)
    named = {**second, "settings": {"pruner": "mine"}}
    assert ("second opinion", "mine") in summary_rows(named)
    assert "second opinion" not in dict(summary_rows({**second, "second_opinion": None}))


def test_a_training_in_rounds_names_its_model_by_the_round_it_came_of() -> None:
    record = {
        "task": "iterate",
        "model": {"digest": "fedcba9876543210", "started_from": "none"},
        "best_round": 0,
        "counts": {"rounds": 3},
        "training": {},  # the start model is the first round's: nothing was trained
    }
    rows = dict(summary_rows(record))
    assert rows["model"] == "as of round 0 of 3 (fedcba987654)" and "kept step" not in rows


def test_a_model_without_a_name_is_told_by_its_digest_alone() -> None:
    record = {"model": {"digest": "0123456789abcdef"}}
    assert dict(summary_rows({**record, "task": "pick"}))["model"] == "0123456789ab"
    assert dict(summary_rows({**record, "task": "prune"}))["pruner"] == "0123456789ab"


def test_a_training_says_whether_the_expected_count_was_given() -> None:
    record = {
        "task": "train",
        "training": {"expected_per_micrograph": 114.7, "chosen_step": 3, "steps": 9},
    }
    assert ("particles a micrograph, estimated", "115") in summary_rows(record)
    record["training"]["expected_was_given"] = True  # type: ignore[index]
    assert ("particles a micrograph, given", "115") in summary_rows(record)


def test_a_training_says_shortly_what_was_held_out() -> None:
    for what in ("epoch", "step that is kept"):  # the first in records of 0.1
        text = f"12 of 60 labels on 2 of 8 labelled micrographs are held out to choose the {what}"
        rows = summary_rows({"task": "train", "training": {"split_text": text}})
        assert ("held out", "12 of 60 labels on 2 of 8 labelled micrographs") in rows


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("nnpu", "non-negative risk of positive and unlabelled"),
        ("ge-binomial", "binomial"),
        ("ge-kl", "fraction of particles among unlabelled"),
        ("pn", "without a label is taken for no particle"),
    ],
)
def test_a_loss_has_its_meaning_beside_it(name: str, meaning: str) -> None:
    told = dict(summary_rows({"task": "train", "training": {"objective": name}}))["loss"]
    assert str(told).startswith(f"{name}, ") and meaning in str(told)


def test_a_record_with_nothing_in_it_makes_a_page() -> None:
    assert "<html" in job_report("empty", Report({}), [])


def test_settings_that_are_not_set_are_not_printed() -> None:
    settings = {"diameter": 120.5, "min_distance": None, "encoder": "", "border": 0.0}
    page = job_report("picks", Report({"settings": settings}), [])
    assert "120.5" in page and "border" in page
    assert "min_distance" not in page and "encoder" not in page


def test_the_expected_table_marks_the_threshold() -> None:
    scores = np.array([-2.0, 0.0, 2.0])
    report = Report(PICK)
    page = job_report("picks", report, [PicksOutput(0.5, scores, 80.0), report])
    assert "minimum FOM" in page and "0.50" in page


def test_a_threshold_that_reads_like_a_level_of_the_table_has_one_row() -> None:
    table = expected_table([-2.0, 0.0, 2.0], -0.84729)  # a probability of 0.3 is -0.847298
    assert [row[0] for row in table.rows].count("-0.847") == 1
    assert table.marked is not None and table.rows[table.marked][0] == "-0.847"


def test_a_pretraining_tells_what_was_pretrained_and_not_what_was_picked() -> None:
    record = {
        "task": "pretrain",
        "settings": {"method": "mae", "steps": None, "device": "cpu", "diameter": None},
        "model": {"digest": "0123456789abcdef"},
        "curve": [{"step": 25, "loss": 1.0}, {"step": 50, "loss": 0.5}],
        "seconds": {"total": 61.0},
        "ended": "2026-01-02T03:04:05+00:00",
    }
    assert summary_rows(record) == [
        ("method", "mae"),
        ("steps", 50),
        ("model", "0123456789ab"),
        ("device", "cpu"),
        ("time", "1 min 1 s"),
        ("ended", "2026-01-02 03:04 UTC"),
    ]
    told = {**record, "settings": {"method": "pruner", "steps": 7, "device": "cpu"}, "curve": None}
    told["shipped"] = {"general": {"version": "general-7", "digest": "00"}}
    rows = dict(summary_rows(told))
    assert rows["steps"] == 7 and rows["started from"] == "general-7"
    page = job_report("pretrain", Report(record), [])
    assert "picks selected" not in page and "minimum FOM" not in page
