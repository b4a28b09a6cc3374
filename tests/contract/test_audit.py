"""Every host: what is said of ``precision=P``, and what a person's answers change."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostpick.errors import InputError
from frostpick_jobs import api
from frostpick_jobs.job.outputs import PicksOutput, Report

#: Radius in pixels within which a pick is right: a quarter of the 64 A at 2 A a pixel.
NEAR = 8.0


def rows_of(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.read_text())))


def answer(folder: Path, case: Any, data: Any, wrong: bool = False) -> None:
    """Fill a table from the truth, as a spreadsheet program would, or against it."""
    rows = rows_of(folder / "audit.csv")
    of = {case.id_of(file): number for number, file in enumerate(case.files)}
    for row in rows:
        away = data.truth(of[row["micrograph"]]) - (float(row["x_px"]), float(row["y_px"]))
        hit = bool(np.hypot(*away.T).min() < NEAR)
        row["particle"] = ("No", "YES")[hit != wrong]
    with (folder / "audit.csv").open("w", newline="", encoding="utf-8-sig") as handle:
        writer = csv.DictWriter(handle, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows(reversed(rows))


def test_without_judged_picks_nothing_is_guaranteed_and_it_is_said(
    case: Any, spy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert spy.pick(case, threshold="precision=0.8") == 0
    record = spy.output(Report).record
    (told,) = [line for line in caplog.messages if line.startswith("not guaranteed: ")]
    assert "precision=0.8 stands on stated probabilities alone" in told
    assert "frostpick audit" in told
    assert not record["promise"]["guaranteed"]
    assert [one for one in record["warnings"] if one.startswith("not guaranteed: ")]
    caplog.clear()
    assert spy.pick(case, threshold="auto") == 0
    assert "guaranteed" not in caplog.text and "promise" not in spy.output(Report).record


def test_judged_picks_choose_the_cut_and_the_record_says_by_how_many(
    case: Any, spy: Any, data: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if case.name not in ("folder", "relion"):
        pytest.skip("has no folder of its own when it has ended")
    caplog.set_level(logging.INFO)
    assert spy.pick(case, threshold="precision=0.8") == 0
    before, given = spy.output(PicksOutput).threshold, case.native_files()
    job = case.folder()
    (job / "audit").mkdir()  # somebody else's
    (job / "audit" / "audit.csv").write_text("mine\n")
    drawn = api.audit(job, picks=40)
    (folder,) = drawn.folders
    assert folder.name == "audit-2" and (job / "audit" / "audit.csv").read_text() == "mine\n"
    left = {n: b for n, b in case.native_files().items() if not n.startswith("audit")}
    assert left == given
    answer(folder, case, data)

    assert spy.pick(case, threshold="precision=0.8", renew_threshold=True) == 0
    assert spy.inferred == []
    output, record = spy.output(PicksOutput), spy.output(Report).record
    hits = 0
    for one in spy.outputs():
        number = [case.id_of(file) for file in case.files].index(one.micrograph.id)
        picks = one.picks.keep(np.flatnonzero(one.picks.selected))
        for x, y in zip(picks.x_px, picks.y_px, strict=True):
            hits += np.hypot(*(data.truth(number) - (x, y)).T).min() < NEAR
    count = np.count_nonzero(output.scores >= output.threshold)
    assert hits / count >= 0.8
    promise = record["promise"]
    assert promise["guaranteed"] and promise["bound_95"] >= 0.8 and promise["judged_picks"] >= 15
    assert f"guaranteed, with 95 % confidence: {promise['judged_picks']} judged" in caplog.text
    assert "warnings" not in record or "guaranteed" not in str(record["warnings"])
    assert output.threshold != before
    # A Continue keeps threshold and promise.
    assert spy.pick(case, threshold="precision=0.8") == 0
    assert spy.output(PicksOutput).threshold == output.threshold
    assert spy.output(Report).record["promise"]["guaranteed"]


def test_answers_that_show_less_or_are_of_other_scores_guarantee_nothing(
    case: Any, spy: Any, data: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if case.name not in ("folder", "relion"):
        pytest.skip("has no folder of its own when it has ended")
    rule = {"threshold": "precision=0.8", "renew_threshold": True}
    assert spy.pick(case, **rule) == 0
    (folder,) = api.audit(case.folder(), picks=20).folders
    assert spy.pick(case, **rule) == 0 and "has no answer yet" in caplog.text
    answer(folder, case, data, wrong=True)
    caplog.clear()
    assert spy.pick(case, **rule) == 0
    assert "does not show precision=0.8 with 95 % confidence" in caplog.text
    caplog.clear()
    answers = (folder / "audit.csv").read_bytes()
    assert spy.pick(case, **rule, min_distance=70) == 0  # other picks, other scores
    assert "not guaranteed: the picks that were judged are of another model or of" in caplog.text
    with pytest.raises(InputError, match=r"audit: its picks are of another model or of other"):
        api.audit(case.folder())
    again = api.audit(case.folder(), picks=20, new=True)
    assert again.folders[-1].name == "audit-2" and not again.judged
    assert (folder / "audit.csv").read_bytes() == answers
