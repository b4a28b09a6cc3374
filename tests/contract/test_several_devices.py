"""A job on two devices, driven with two CPUs in place of two GPUs."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    cpus = (torch.device("cpu"), torch.device("cpu"))
    monkeypatch.setattr("frostpick.runtime.executors.local.resolve_devices", lambda text: cpus)


@pytest.mark.parametrize("new_case", ["folder"], indirect=True)
def test_a_job_whose_process_died_continues_to_the_results_of_one_device(
    new_case: Callable[..., Any],
    spy: Any,
    data: Any,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = new_case("alone")
    assert spy.pick(alone) == 0
    expected = alone.native_files()
    request.getfixturevalue("two_devices")
    case = new_case("both")

    def kill_one() -> None:
        victim = multiprocessing.active_children()[0]
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)

    # Those left may all be on their way already when it dies: then the job ends well.
    code = spy.pick(case, during=lambda host: data.after_advances(host, 1, kill_one))
    assert code in (0, 1)
    if code == 1:
        assert "died (SIGKILL" in caplog.text and spy.ends() == ["failed"]
    assert not multiprocessing.active_children()
    kept = len(spy.inferred)
    assert kept >= 1
    assert spy.pick(case) == 0
    assert len(spy.inferred) == len(case.files) - kept
    assert case.native_files() == expected
