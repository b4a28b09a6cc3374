"""Every host: how often a job reads each stored result."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.tasks.select import run_select


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the readings of each stored result, by the micrograph's id."""
    counted: Counter[str] = Counter()
    load = np.load

    def counting(file: Any, **options: Any) -> Any:
        found = load(file, **options)
        if Path(file.name).parent.name == "picks":
            counted[json.loads(found["about"].tobytes())["id"]] += 1
        return found

    monkeypatch.setattr("numpy.load", counting)
    return counted


def times(case: Any, count: int) -> dict[str, int]:
    """Return that every micrograph is read so often."""
    return {case.id_of(file): count for file in case.files}


def test_a_fresh_run_reads_each_result_once(case: Any, spy: Any, reads: Counter[str]) -> None:
    spy.draw = True  # pictures show what is stored
    assert spy.pick(case) == 0
    assert reads == times(case, 1)


def test_a_continued_run_reads_once_more_what_was_stored_before(
    case: Any, spy: Any, reads: Counter[str]
) -> None:
    late = case.files.pop()
    content = late.read_bytes()
    late.unlink()
    assert spy.pick(case) == 0
    late.write_bytes(content)
    case.files.append(late)
    reads.clear()
    assert spy.pick(case) == 0
    assert spy.inferred == [case.id_of(late)]
    assert reads == times(case, 2) | {case.id_of(late): 1}
    reads.clear()
    assert spy.pick(case, threshold="p=0.3") == 0
    assert spy.inferred == [] and reads == times(case, 2)


def test_select_reads_for_the_sums_and_for_the_outputs(
    case: Any, spy: Any, reads: Counter[str]
) -> None:
    if case.name not in ("folder", "relion"):
        pytest.skip("no select on this host")
    assert spy.pick(case) == 0
    reads.clear()
    host = case.host()
    assert run_job(host, lambda: run_select(host, "p=0.3")) == 0
    assert reads == times(case, 2)
