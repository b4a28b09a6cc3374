"""What a picking job says of noise: in words, in its record, and when it warns."""

from __future__ import annotations

import logging
import math

import pytest

from frostpick.picking.noise import NoiseEstimate
from frostpick.picking.null import NoiseSample
from frostpick.picking.threshold import Cut
from frostpick.runtime.run_record import RunRecord
from frostpick.types import Picks
from frostpick_jobs.job.report import summary_rows
from frostpick_jobs.tasks.pick.noise import alarm, as_record, sentence, tell_noise, worst
from frostpick_jobs.tasks.pick.threshold import Threshold

pytestmark = pytest.mark.quick


def estimate(picks: int = 400, decoys: int = 19, expected: float = 24.0) -> NoiseEstimate:
    return NoiseEstimate(24, picks, decoys + 5, decoys, 0.8, expected, 12.0, 40.0)


def test_the_sentence_is_of_the_whole_job_and_calls_it_a_lower_bound() -> None:
    # from 12 of 400 on where it was looked for, 3 %: 150 of 5,000 in the job
    assert sentence(estimate(), 5000, learned=False) == (
        "noise: at the threshold, at least 150 of 5,000 picks are likely noise (expected 6.0%, "
        "90% interval 3.0% to 10.0%; a lower bound on false picks: junk is not counted)"
    )
    assert "learned from these micrographs" in sentence(estimate(), 5000, learned=True)


def test_without_a_decoy_it_claims_no_noise() -> None:
    told = sentence(estimate(decoys=0, expected=1.3), 5000, learned=False)
    assert told.startswith(
        "noise: no clear sign of it among 5,000 picks at the threshold (up to 10.0%"
    )
    assert "at least" not in told


def test_it_says_when_it_cannot_tell() -> None:
    nan = math.nan
    full = NoiseEstimate(3, 400, 2, 0, 0.0, nan, nan, nan)
    assert "no free area" in sentence(full, 400, learned=False)
    assert as_record(full, 400, learned=False)["share"] is None
    assert "no pick reaches" in sentence(estimate(picks=0), 0, learned=False)
    assert alarm(full, []) is None and alarm(estimate(picks=0), []) is None


def test_the_record_and_the_page_have_the_same_figures() -> None:
    record = {"task": "pick", "noise": as_record(estimate(), 5000, learned=False)}
    assert record["noise"]["at_least"] == 150 and record["noise"]["share"] == pytest.approx(0.06)
    assert "lower bound" in record["noise"]["meaning"]
    assert ("likely noise among them", "at least 150 (expected 6.0%)") in summary_rows(record)
    none = {"task": "pick", "noise": as_record(estimate(decoys=0), 5000, learned=False)}
    assert ("likely noise among them", "no clear sign of it (up to 10.0%)") in summary_rows(none)
    assert "likely noise among them" not in dict(summary_rows({"task": "pick"}))


@pytest.mark.parametrize(
    ("found", "warns"),
    [
        (estimate(), False),  # 6 %
        (estimate(picks=150), True),  # 16 %, at least 8 %
        (estimate(picks=150, decoys=2), False),  # two decoys are no evidence
        (NoiseEstimate(24, 150, 9, 8, 0.8, 24.0, 5.0, 60.0), False),  # not surely above 5 %
    ],
)
def test_much_noise_is_warned_of(found: NoiseEstimate, warns: bool) -> None:
    told = alarm(found, ["c.mrc", "a.mrc", "b.mrc", "d.mrc"])
    assert (told is not None) == warns
    if told is not None:
        assert told.startswith(
            "about 16% of the picks look like noise, at least 8%, most on c.mrc, a.mrc, b.mrc"
        )
        assert "d.mrc" not in told


def sample(name: str, picks: int, decoys: int) -> NoiseSample:
    """Picks along the upper edge, decoys along the lower one."""
    rows = [
        Picks.from_xy(name, [40.0 * k for k in range(n)], [y] * n, score=[1.0] * n, diameter_A=20.0)
        for n, y in ((picks, 10.0), (decoys, 900.0))
    ]
    return NoiseSample.of(*rows, (1000, 1000), 20.0, 10.0)


def test_the_worst_micrographs_are_named_worst_first_and_once_in_the_report(
    caplog: pytest.LogCaptureFixture,
) -> None:
    samples = [
        *(sample("good", 24, 0), sample("one decoy", 4, 1)),
        *(sample("bad", 20, 6), sample("worse", 5, 6)),
    ]
    assert worst(samples, [0.0] * 4) == ["worse", "bad"]
    record = RunRecord("pick", "folder", {})
    threshold = Threshold(0.0, "auto", frozen=False)
    with caplog.at_level(logging.INFO):
        tell_noise(samples, threshold, 530, record, learned=False, seconds={"inverted": 1.26})
    noted = record.finished()
    assert noted["noise"]["picks"] == 53 and noted["noise"]["decoys"] == 13
    (warning,) = noted["warnings"]
    assert "most on worse, bad:" in warning and warning in caplog.text
    assert (
        "to tell noise, 4 micrographs searched with inverted contrast too, in 1.3 s" in caplog.text
    )
    # those that are cut higher have neither picks nor decoys
    kept = Threshold(0.0, "auto", frozen=False, kept={"bad": Cut(2.0), "worse": Cut(2.0)})
    quiet = RunRecord("pick", "folder", {})
    tell_noise(samples, kept, 280, quiet, learned=False, seconds={})
    assert quiet.finished()["noise"]["decoys"] == 1 and "warnings" not in quiet.finished()


def test_nothing_is_said_where_nothing_was_looked_for() -> None:
    record = RunRecord("pick", "folder", {})
    tell_noise([], Threshold(0.0, "auto", frozen=False), 9, record, learned=False, seconds={})
    assert "noise" not in record.finished()
