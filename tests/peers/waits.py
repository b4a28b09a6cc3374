"""Waiting for what happens, not for a time: a limit only ends what would never end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

#: Seconds that no step of a test takes, however busy the machine is.
LONG = 900.0


def wait_until(condition: Callable[[], object], seconds: float = LONG) -> None:
    """Wait for a condition; fail after a while."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def ended(process: subprocess.Popen[str], seconds: float = LONG) -> tuple[str, str]:
    """Wait for the end of a program; return its standard output and its standard error."""
    try:
        printed, told = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return printed or "", told or ""
