"""The run record: JSON, complete, and without what is nobody's business."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from frostpick._version import __version__
from frostpick.runtime.run_record import RunRecord, plain, versions


def test_times_and_fields() -> None:
    now = iter([0.0, 10.0, 13.0, 20.0, 24.5, 30.0])
    wall = iter([0.0, 86400.0])
    record = RunRecord(
        "pick", "folder", {"diameter": 64.0}, wall=lambda: next(wall), clock=lambda: next(now)
    )
    with record.stage("picking"):
        pass
    with record.stage("picking"):
        pass
    record.add(counts={"picks": np.int64(3)}, device="cpu")
    record.add(device="cuda:0")
    found = record.finished()
    assert found["seconds"] == {"picking": 7.5, "total": 30.0}
    assert found["started"] == "1970-01-01T00:00:00+00:00"
    assert found["ended"] == "1970-01-02T00:00:00+00:00"
    assert (found["task"], found["host"], found["device"]) == ("pick", "folder", "cuda:0")
    assert found["settings"] == {"diameter": 64.0} and found["counts"] == {"picks": 3}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_stage_that_raises_is_timed_too() -> None:
    now = iter([0.0, 1.0, 3.0, 4.0])
    record = RunRecord("pick", "folder", {}, wall=lambda: 0.0, clock=lambda: next(now))
    try:
        with record.stage("picking"):
            raise ValueError
    except ValueError:
        pass
    assert record.finished()["seconds"]["picking"] == 2.0


def test_versions() -> None:
    found = versions()
    assert found["frostpick"] == __version__ and found["torch"] and found["python"]


def test_no_environment() -> None:
    import os

    os.environ["FROSTPICK_TEST_SECRET"] = "hunter2"
    try:
        text = json.dumps(RunRecord("train", "relion", {}).finished())
    finally:
        del os.environ["FROSTPICK_TEST_SECRET"]
    assert "hunter2" not in text and os.path.expanduser("~") not in text


def test_plain_values() -> None:
    given = {
        "nan": float("nan"),
        "inf": np.float32(np.inf),
        "array": np.array([[1, 2]]),
        "path": Path("a/b"),
        "none": None,
        "yes": np.bool_(True),
        3: (1, "x"),
        "other": complex(1, 2),
    }
    assert plain(given) == {
        "nan": None,
        "inf": None,
        "array": [[1, 2]],
        "path": "a/b",
        "none": None,
        "yes": True,
        "3": [1, "x"],
        "other": "(1+2j)",
    }
