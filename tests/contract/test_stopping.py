"""Every host: a stop ends the job in order, keeps what is done, and changes nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from frostpick.errors import JobStopped
from frostpick_jobs.job.host import Host

DONE = 2


def request_stop(host: Host) -> Callable[[], None]:
    """Return an action after which the host wants the job to stop."""
    reporter: Any = host.reporter

    def stop() -> None:
        def check() -> None:
            raise JobStopped("stopped by the host")

        reporter.check = check

    return stop


def send(number: int) -> Callable[[Host], Callable[[], None]]:
    """Return what makes an action that sends this process a signal."""
    return lambda host: lambda: os.kill(os.getpid(), number)


STOPS = [
    pytest.param(request_stop, 130, id="host"),
    pytest.param(send(signal.SIGTERM), 143, id="SIGTERM"),
    pytest.param(send(signal.SIGINT), 130, id="SIGINT"),
]


@pytest.mark.parametrize(("stop", "code"), STOPS)
def test_stop_in_mid_picking_then_continue(
    case: Any, spy: Any, new_case: Any, data: Any, stop: Any, code: int
) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]

    def during(host: Host) -> None:
        data.after_advances(host, DONE, stop(host))

    assert spy.pick(case, during) == code
    assert spy.ends() == ["aborted"] and spy.calls[-1][0] == "end"
    assert spy.calls[-1][2].startswith("stopped")
    assert "deliver" not in spy.names() and len(spy.inferred) == DONE
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == handlers
    done = list(spy.inferred)
    assert spy.pick(case) == 0
    assert spy.ends() == ["finished"]
    assert len(spy.inferred) == len(case.files) - DONE and not set(spy.inferred) & set(done)
    uninterrupted = new_case("another")
    spy.pick(uninterrupted)
    assert case.native_files() == uninterrupted.native_files()


def test_stop_in_mid_delivery_then_continue(case: Any, spy: Any, new_case: Any, data: Any) -> None:
    def during(host: Host) -> None:
        data.after_advances(host, len(case.files) + DONE, request_stop(host))

    assert spy.pick(case, during) == 130
    assert spy.ends() == ["aborted"] and "deliver" not in spy.names()
    assert not [p for p in case.folder().rglob("*") if p.name.endswith(".tmp")]
    assert spy.pick(case) == 0
    assert spy.inferred == []
    uninterrupted = new_case("another")
    spy.pick(uninterrupted)
    assert case.native_files() == uninterrupted.native_files()


def test_stop_before_the_first_micrograph(case: Any, spy: Any) -> None:
    assert spy.pick(case, lambda host: request_stop(host)()) == 130
    assert spy.inferred == [] and spy.ends() == ["aborted"]


def test_a_stopped_job_may_continue_with_other_settings(case: Any, spy: Any, data: Any) -> None:
    spy.pick(case, lambda host: data.after_advances(host, DONE, request_stop(host)))
    assert spy.pick(case, diameter=70.0) == 0
    assert len(spy.inferred) == len(case.files)


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (KeyboardInterrupt(), "aborted", 130),
        (SystemExit(0), "failed", 1),
        (MemoryError(), "failed", 1),
        (ZeroDivisionError("a bug"), "failed", 1),
        (RuntimeError("[enforce fail] can't allocate memory: you tried 8 TB"), "failed", 1),
    ],
)
def test_whatever_is_raised_the_host_is_told_once_and_last(
    case: Any, spy: Any, error: BaseException, outcome: str, code: int
) -> None:
    def during(host: Any) -> None:
        def raise_it(output: object) -> None:
            raise error

        host.deliver_one = raise_it

    assert spy.pick(case, during) == code
    assert spy.ends() == [outcome] and spy.calls[-1][0] == "end"
    assert "\n" not in spy.calls[-1][2]
    kept = case.host().spool / "traceback.txt"
    assert kept.exists() == isinstance(error, (SystemExit, ZeroDivisionError))


def test_an_error_in_begin_is_told_too(case: Any, spy: Any) -> None:
    def during(host: Any) -> None:
        def begin() -> None:
            raise PermissionError(13, "Permission denied", "some/folder")

        host.begin = begin

    assert spy.pick(case, during) == 1
    assert spy.calls[-1][0] == "end" and spy.calls[-1][2] == "some/folder: Permission denied"
