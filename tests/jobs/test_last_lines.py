"""What a job says last: figures by hand sums, and words for what is good, doubtful, unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frostpick.types import Decisions
from frostpick_jobs.hosts.cryosparc.next_step import next_step as in_cryosparc
from frostpick_jobs.hosts.folder.next_step import next_step as on_a_folder
from frostpick_jobs.hosts.relion.next_step import next_step as in_relion
from frostpick_jobs.job.last_lines import last_lines
from frostpick_jobs.job.outputs import KeptRows, Output, PicksOutput, Report
from frostpick_jobs.job.results import Place
from frostpick_jobs.tasks.declarations import TASKS

pytestmark = pytest.mark.quick


class Where:
    """The parts of a host that the lines ask."""

    place = Place("out")

    def reference(self, output: str) -> str:
        return f"out/{output}"

    def look_at_report(self) -> str:
        return "look at out/report.html"

    def next_step(self, task: str, outputs: object, *, good: bool) -> str:
        return f"{task}, good {good}"


def lines(record: dict[str, Any], *outputs: Output, failed: tuple[str, ...] = ()) -> list[str]:
    report = Report(record, failed=dict.fromkeys(failed, "bad"))
    found = last_lines(Where(), [*outputs, report])  # type: ignore[arg-type]
    assert found is not None
    return list(found)


def picks(*probabilities: float) -> PicksOutput:
    p = np.array(probabilities)
    return PicksOutput(0.0, np.log(p / (1 - p)), 80.0)


PICKED = {"task": "pick", "counts": {"micrographs": 1, "selected": 3, "picks": 4}}


def test_good_picks() -> None:
    # 0.9, 0.8 and 0.7 are at or above one half: 2.4 of 3 are expected to be particles
    assert lines(PICKED, picks(0.9, 0.8, 0.7, 0.2)) == [
        "Made: 3 picks on 1 micrograph in out/picks; look at out/report.html.",
        "Looks good: 80% of the picks are expected to be particles, by their scores; about 3 a "
        "micrograph.",
        "Next: pick, good True.",
    ]


@pytest.mark.parametrize(
    ("found", "more", "why"),
    [
        (picks(0.6, 0.55, 0.5), {"counts": {"micrographs": 9, "selected": 3}}, "very few a mic"),
        (picks(0.6, 0.55, 0.5), {}, "55% of the picks are expected"),
        (
            picks(0.9, 0.9),
            {"noise": {"share": 0.2, "at_least": 7}},
            "at least 7 picks likely noise",
        ),
        (picks(0.1), {}, "no pick reaches the threshold"),
        (picks(0.9), {"warnings": ["odd"]}, "; 1 warning."),
        (picks(0.9), {"promise": {"precision": 0.4, "judged_picks": 60}}, "40% of the picks are"),
    ],
)
def test_doubtful_picks(found: PicksOutput, more: dict[str, Any], why: str) -> None:
    looks = lines({**PICKED, **more}, found)[1]
    assert looks.startswith("Look closer: ") and why in looks


def test_inputs_that_could_not_be_used_are_counted() -> None:
    assert lines(PICKED, picks(0.9), failed=("a.mrc",))[1].endswith(
        "; 1 micrograph could not be used: a.mrc."
    )


def test_a_training_is_judged_by_labels_held_out() -> None:
    recall = {"found": 9, "labels": 12, "low": 0.45, "high": 0.93}
    told = lines({"task": "train", "training": {"recall": recall}})[1]
    assert told == "Looks good: at its threshold it finds 75% (45% to 93%) of 12 held-out labels."
    worse = {"recall": recall, "held_out_ap": 0.3, "start_held_out_ap": 0.6}
    told = lines({"task": "train", "training": worse})[1]
    assert told.startswith("Look closer: ") and "that of the start model 0.60" in told
    assert lines({"task": "train"})[1].startswith("Not measured: no label was held out")


def test_kept_rows() -> None:
    probability = np.array([0.9, 0.7, 0.1])
    decisions = Decisions(
        row=np.arange(3),
        keep=np.array([True, True, False]),
        score=np.log(probability / (1 - probability)),
        probability=probability,
        spread=np.zeros(3),
        reason=np.array([0, 0, 1], np.int8),
    )
    made, looks, _ = lines({"task": "prune"}, KeptRows(decisions))
    assert made.startswith("Made: 2 of 3 rows in out/kept; ")
    assert (
        looks == "Looks good: 80% of the kept rows are expected to be particles, by their scores."
    )


def test_every_task_has_a_next_step_on_every_host() -> None:
    for task in TASKS:
        for good in (True, False):
            assert "'my out'/" in on_a_folder(task.name, "my out", [], good=good) or not good
            assert "J7" in in_cryosparc(task.name, "P1", "J7", good=good, extracted=good)
            step = in_relion(
                task.name, "External/job007/x", "External/job007/model", good=good, particles=good
            )
            assert "External/job007/" in step


def test_the_micrographs_stand_in_the_command_that_comes_next() -> None:
    step = on_a_folder("train", "out", ["a b/*.mrc", "c"], good=True)
    assert (
        step == "frostpick pick --micrographs 'a b/*.mrc' --micrographs c --model out/model -o NEW"
    )
