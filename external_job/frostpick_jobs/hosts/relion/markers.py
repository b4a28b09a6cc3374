"""The empty files by which RELION learns how a job ended, and asks one to stop."""

from __future__ import annotations

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
