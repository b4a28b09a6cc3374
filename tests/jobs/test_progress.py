"""Progress lines and the stop hook, on a clock of the test's own."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from frostpick.errors import JobStopped
from frostpick_jobs.job.progress import (
    BarReporter,
    FileAppears,
    LineReporter,
    seconds_left,
    shown,
    terminal_reporter,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines(caplog: pytest.LogCaptureFixture, total: int, seconds: float) -> list[str]:
    clock = Clock()
    reporter = LineReporter(clock=clock)
    with caplog.at_level(logging.INFO):
        reporter.stage("picking", total)
        for _ in range(total):
            clock.now += seconds
            reporter.advance(1)
    return [record.message for record in caplog.records]


def test_at_most_fifty_lines_of_many_steps(caplog: pytest.LogCaptureFixture) -> None:
    said = lines(caplog, 10_000, 0.2)
    assert len(said) == 50
    assert said[0] == "picking: 200 of 10000, 0:32:40 left"
    assert said[-1] == "picking: 10000 of 10000"


def test_slow_steps_are_not_silent(caplog: pytest.LogCaptureFixture) -> None:
    assert len(lines(caplog, 1000, 61.0)) == 1000


def test_quick_steps_say_little(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, 100, 0.001) == ["picking: 100 of 100"]


def test_metrics_and_a_new_stage(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    reporter = LineReporter(clock=clock)
    with caplog.at_level(logging.INFO):
        for name in ("one", "two"):
            reporter.stage(name, 2)
            clock.now += 5
            reporter.advance(1, loss=0.123456)
    assert [r.message for r in caplog.records] == [
        "one: 1 of 2, 0:00:05 left, loss 0.1235",
        "two: 1 of 2, 0:00:05 left, loss 0.1235",
    ]


def test_what_was_done_before_a_stop_took_no_time(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    reporter = LineReporter(clock=clock)
    with caplog.at_level(logging.INFO):
        reporter.stage("training", 100)
        reporter.advance(60)  # of an earlier run
        clock.now += 20
        reporter.advance(10)
    assert [r.message for r in caplog.records] == ["training: 70 of 100, 0:01:00 left"]


def test_words() -> None:
    assert seconds_left(0, 10, 5.0) == "" and seconds_left(10, 10, 5.0) == ""
    assert seconds_left(1, 2, 3725.4) == ", 1:02:05 left"
    assert shown({}) == "" and shown({"a": 1.0, "b": 2e-7}) == ", a 1, b 2e-07"


def test_a_file_stops_the_job_and_is_looked_for_at_a_slow_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, looks = Clock(), []
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: (looks.append(path), real(path))[1])
    file = tmp_path / "ABORT"
    reporter = LineReporter(FileAppears(file, seconds=2.0, clock=clock), clock=clock)
    for _ in range(1000):
        reporter.check()
        clock.now += 0.01
    assert len(looks) == 5
    file.touch()
    clock.now += 2.0
    with pytest.raises(JobStopped, match="ABORT"):
        reporter.check()


def test_the_bar_draws_and_gives_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    reporter = terminal_reporter(lambda: None)
    assert isinstance(reporter, BarReporter)
    reporter.close()
    reporter.stage("picking", 3)
    reporter.advance(2, loss=0.5)
    reporter.check()
    reporter.stage("writing", 1)
    reporter.advance(1)
    reporter.figure("name", b"", "caption")
    reporter.close()
    reporter.close()
    assert "picking" in screen.getvalue() and "\x1b[?25h" in screen.getvalue()


def test_lines_where_there_is_no_terminal() -> None:
    assert isinstance(terminal_reporter(), LineReporter)
