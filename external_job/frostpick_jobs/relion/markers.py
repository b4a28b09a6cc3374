"""The empty files by which RELION learns how a job ended, and asks one to stop."""

from __future__ import annotations

import time
from pathlib import Path

SUCCESS = "RELION_JOB_EXIT_SUCCESS"
FAILURE = "RELION_JOB_EXIT_FAILURE"
ABORTED = "RELION_JOB_EXIT_ABORTED"
ABORT_NOW = "RELION_JOB_ABORT_NOW"


def mark(job: Path, marker: str) -> None:
    """Leave exactly one exit file in the job folder.

    RELION lets SUCCESS win over the others, so an old one goes first.
    """
    clear(job)
    (job / marker).touch()


def clear(job: Path) -> None:
    """Remove the exit files of an earlier run; a request to stop is left alone.

    RELION does the same before it starts a job, but a user who repeats the command
    by hand does not. A stop may have been asked for while the job was queueing.
    """
    for marker in (SUCCESS, FAILURE, ABORTED):
        (job / marker).unlink(missing_ok=True)


def present(job: Path) -> bool:
    """Tell whether the job folder holds an exit file."""
    return any((job / marker).exists() for marker in (SUCCESS, FAILURE, ABORTED))


def abort_requested(job: Path) -> bool:
    """Tell whether RELION asks this job to stop."""
    return (job / ABORT_NOW).exists()


class AbortWatch:
    """Looks for the request to stop, at most once in ``interval`` seconds.

    A look is a question to a file server, and training asks at every step.
    """

    def __init__(self, job: Path, interval: float = 1.0) -> None:
        self._job = job
        self._interval = interval
        self._next = 0.0
        self._seen = False

    def __call__(self) -> bool:
        """Return whether a stop was asked for; once true, always true."""
        now = time.monotonic()
        if not self._seen and now >= self._next:
            self._next = now + self._interval
            self._seen = abort_requested(self._job)
        return self._seen
