"""The engines that share out work, on work that does next to nothing."""

import os

import pytest
import torch
from plain_work import Backwards, Squares, Unreadable, Warns

from frostpick.errors import JobStopped
from frostpick.runtime.executors.base import Resources, in_order
from frostpick.runtime.executors.inline import InlineExecutor
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.executors.processes import ProcessExecutor
from frostpick.runtime.reporter import SilentReporter

CPU = torch.device("cpu")
ENGINES = [InlineExecutor(Resources()), ProcessExecutor([CPU, CPU], 2), Backwards()]


@pytest.fixture(autouse=True)
def _as_many_threads_after():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
def test_every_item_is_done_once_and_in_order(engine):
    numbers = [0, 1, 2, 3, 4, 5, 6]
    found = list(engine.run(Squares(), iter(numbers), SilentReporter()))
    assert found == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16), (5, 25), (6, 36)]
    assert list(engine.run(Squares(), [], SilentReporter())) == []


def test_what_is_finished_first_comes_first_where_no_order_is_asked_for(tmp_path, caplog):
    engine = ProcessExecutor([CPU, CPU], 4)
    assert Resources.of(CPU, 2).readers + 2 == Squares.most_given
    with caplog.at_level("INFO"):
        found = engine.run(Squares(tmp_path), range(8), SilentReporter(), ordered=False)
        pairs = list(found)
    assert sorted(pairs) == [(n, n * n) for n in range(8)]
    assert pairs[0] != (0, 0)
    pids = {int(path.suffix[1:]) for path in tmp_path.iterdir()}
    assert len(pids) == 2 and os.getpid() not in pids
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    told = [record.getMessage() for record in caplog.records]
    assert told.count("begun with 2 threads") == 2  # each its half
    assert "squaring on cpu, cpu, one process each" in told


@pytest.mark.parametrize("engine", ENGINES[:2], ids=lambda engine: type(engine).__name__)
def test_a_stop_and_a_bug_come_through(engine):
    reporter = SilentReporter()
    found = engine.run(Squares(), range(1, 100), reporter)
    next(found)
    reporter.stop_requested = True
    with pytest.raises(JobStopped):
        list(found)
    with pytest.raises((KeyError, RuntimeError), match="a bug"):
        list(engine.run(Squares(), [1, -1, 2], SilentReporter()))


def test_an_item_that_cannot_be_read_there_is_an_error_and_no_silence(caplog):
    engine = ProcessExecutor([CPU, CPU], 2, told=False)
    with caplog.at_level("INFO"), pytest.raises(RuntimeError, match="no number"):
        list(engine.run(Squares(), [1, Unreadable(), 2], SilentReporter()))
    assert "one process each" not in caplog.text


def test_what_a_library_warns_of_there_comes_as_a_record(caplog, capfd):
    """The terminal decides how it is shown; the process itself writes nothing to it."""
    engine = ProcessExecutor([CPU, CPU], 2)
    assert list(engine.run(Warns(), [3, 4], SilentReporter())) == [(3, 9), (4, 16)]
    told = [one.getMessage() for one in caplog.records if one.name == "py.warnings"]
    assert len(told) == 2 and "RuntimeWarning: a library's words on 3" in "".join(told)
    assert "a library's words" not in capfd.readouterr().err


def test_a_wrong_device_is_an_error_when_it_is_needed():
    engine = LocalExecutor("cpu", 1)
    assert engine.devices == (CPU,) and engine.threads == 1
    assert list(engine.run(Squares(), [3], SilentReporter())) == [(3, 9)]


def test_gpus_have_several_readers_and_no_more_than_threads():
    gpu = torch.device("cuda", 1)
    assert [Resources.of(gpu, n).readers for n in (1, 3, 16)] == [1, 3, 4]
    assert Resources.of(CPU, 16) == Resources(CPU, 16, 1)


def test_numbers_put_results_in_order():
    early = [(1, "b", 2), (2, "c", 3), (0, "a", 1), (3, "d", 4)]
    assert list(in_order(early)) == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
