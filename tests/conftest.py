"""What tests of several folders share."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is says nothing of what is tested on it.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


@pytest.fixture(scope="session", autouse=True)
def _signals_as_in_a_terminal() -> Iterator[None]:
    """``nohup`` and a shell's ``&`` start programs that ignore signals, and so do their children.

    Our programs leave ignored what was ignored: a test of a signal would wait in vain.
    """
    usual = {
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }
    before = {number: signal.getsignal(number) for number in usual}
    for number, handler in usual.items():
        if before[number] is signal.SIG_IGN:
            signal.signal(number, handler)
    yield
    for number, handler in before.items():
        if handler is not None:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _log_put_back() -> Iterator[None]:
    """A command sends the log to standard error; the next test must not find it there."""
    loggers = [logging.getLogger(name) for name in (None, "frostpick", "frostpick_jobs")]
    before = [(one, one.handlers[:], one.level) for one in loggers]
    yield
    for one, handlers, level in before:
        one.handlers[:] = handlers
        one.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture(scope="session")
def pruner(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a very small pruner that knows dark discs."""
    from tiny_pruner import tiny_pruner

    folder = tmp_path_factory.mktemp("pruner")
    tiny_pruner().save(folder)
    return str(folder)
