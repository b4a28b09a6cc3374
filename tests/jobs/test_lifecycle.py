"""Signals, the lock and errors, with a host that only notes what it is told."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from frostpick.errors import FrostpickError, JobStopped
from frostpick.runtime.reporter import SilentReporter
from frostpick_jobs.job.lifecycle import execute, run_job, sentence
from frostpick_jobs.job.lock import JobRunningError, job_lock
from frostpick_jobs.job.results import Place
from frostpick_jobs.job.signals import StopSignals

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]


class Noting:
    """The parts of a host that the life cycle touches."""

    name = "noting"

    def __init__(self, spool: Path, end: Callable[..., None] | None = None) -> None:
        self.spool, self.reporter = spool, SilentReporter()
        self.log_folder, self.place = spool.parent, Place("noting")
        self.record, self.given, self.journal = None, {}, None
        self.ends: list[tuple[str, str]] = []
        self._end = end

    def end(self, outcome: Any, message: str = "") -> None:
        self.ends.append((outcome.value, message))
        if self._end is not None:
            self._end()


@pytest.fixture
def host(tmp_path: Path) -> Any:
    return Noting(tmp_path / "job" / "spool")


def raising(error: BaseException) -> Callable[[], None]:
    def task() -> None:
        raise error

    return task


def test_a_result_comes_back_and_the_reporter_is_restored(host: Any) -> None:
    reporter = host.reporter
    assert execute(host, lambda: 7) == 7
    assert host.ends == [("finished", "")] and host.reporter is reporter


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FrostpickError("a.mrc: bad"), "a.mrc: bad"),
        (OSError(errno.ENOSPC, "No space", "out/x"), "out/x: no space left on the disk; free"),
        (OSError(errno.EACCES, "Permission denied", "out/x"), "out/x: Permission denied"),
        (MemoryError("8 GB"), "out of memory (8 GB)"),
        (torch.OutOfMemoryError("CUDA out of memory."), "the GPU ran out of memory (CUDA out of"),
        (ValueError("odd\nand long"), "this is a bug in frostpick: ValueError: odd; please"),
        (AssertionError(), "this is a bug in frostpick: AssertionError: AssertionError"),
    ],
)
def test_sentences(
    host: Any, caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    assert run_job(host, raising(error)) == 1
    ((outcome, message),) = host.ends
    assert outcome == "failed" and message.startswith(said) and "\n" not in message
    assert [r.message for r in caplog.records] == [message]
    assert "Traceback" not in caplog.text


def test_debug_logs_the_traceback_and_a_bug_leaves_one(
    host: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run_job(host, raising(ValueError("odd")), debug=True)
    assert "Traceback" in caplog.text
    assert "ValueError: odd" in (host.spool / "traceback.txt").read_text()
    assert str(host.spool / "traceback.txt") in host.ends[0][1]


def test_errors_reach_scripts(host: Any) -> None:
    with pytest.raises(FrostpickError, match="bad"):
        execute(host, raising(FrostpickError("bad")))
    with pytest.raises(JobStopped):
        execute(host, raising(JobStopped("enough")))
    assert [outcome for outcome, _ in host.ends] == ["failed", "aborted"]


def test_an_end_that_raises_hides_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("server away")

    host: Any = Noting(tmp_path / "spool", broken)
    with pytest.raises(FrostpickError, match="bad"):
        execute(host, raising(FrostpickError("bad")))
    assert "could not be told" in caplog.text and len(host.ends) == 1


def test_a_spool_that_cannot_be_made_fails_the_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    host: Any = Noting(tmp_path / "file" / "spool")
    assert run_job(host, lambda: None) == 1
    assert host.ends[0][0] == "failed"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_at_the_next_check(host: Any, number: int, code: int) -> None:
    steps = []

    def task() -> None:
        for step in range(5):
            host.reporter.check()
            if step == 2:
                os.kill(os.getpid(), number)
                steps.append("rest of the step is done")
        raise AssertionError("not reached")

    assert run_job(host, task) == code
    assert steps == ["rest of the step is done"]
    assert host.ends == [("aborted", f"stopped by {signal.Signals(number).name}")]


def test_a_second_interrupt_ends_at_once_but_not_while_ending(tmp_path: Path) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    host: Any = Noting(tmp_path / "spool", interrupt)

    def task() -> None:
        interrupt()
        interrupt()
        raise AssertionError("not reached")

    assert run_job(host, task) == 130
    assert host.ends == [("aborted", "stopped by a second SIGINT")]


def test_terminate_twice_is_still_one_orderly_stop(host: Any) -> None:
    def task() -> str:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        return "done"

    assert execute(host, task) == "done"
    assert host.ends == [("finished", "")]


def test_ignored_signals_stay_ignored_and_handlers_come_back(host: Any) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.received is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread(host: Any) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run_job(host, lambda: None)))
    thread.start()
    thread.join()
    assert codes == [0] and host.ends == [("finished", "")]


def test_the_lock_is_exclusive_and_given_back(tmp_path: Path, host: Any) -> None:
    with job_lock(host.spool):
        with pytest.raises(JobRunningError, match=f"process {os.getpid()} on .* is working"):
            with job_lock(host.spool):
                pass
        assert run_job(host, lambda: None) == 1
        assert host.ends == []
    assert run_job(host, lambda: None) == 0


def test_the_lock_of_a_killed_process_does_not_block(host: Any) -> None:
    code = f"""
import sys, signal, pathlib
from frostpick_jobs.job.lock import job_lock
with job_lock(pathlib.Path({str(host.spool)!r})):
    print("held", flush=True)
    signal.pause()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{ROOT / 'plugin'}:{ROOT / 'external_job'}"},
    )
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    assert run_job(host, lambda: None) == 1 and host.ends == []
    child.kill()
    child.wait()
    child.stdout.close()
    assert run_job(host, lambda: None) == 0


def test_a_disk_without_locks_is_warned_of(
    host: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with caplog.at_level(logging.WARNING):
        assert run_job(host, lambda: None) == 0
    assert "no file locks" in caplog.text


def test_a_keyboard_interrupt_without_text() -> None:
    assert sentence(KeyboardInterrupt(), Path("spool")) == "stopped"
