"""From the start of a job to its end: signals, errors, and exactly one word to the host."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from frostpick.errors import FrostpickError, JobStopped, option, spelled
from frostpick.runtime.atomic import write_text
from frostpick_jobs.job.endings import (
    COMPLETE,
    FAILED,
    NOTHING_YET,
    PARTIAL,
    STOPPED,
    NothingYet,
    unused_inputs,
)
from frostpick_jobs.job.host import Host, Outcome
from frostpick_jobs.job.journal import Journal
from frostpick_jobs.job.lock import JobRunningError, job_lock
from frostpick_jobs.job.results import Result
from frostpick_jobs.job.signals import ReporterWithSignals, StoppedBySignal, StopSignals
from frostpick_jobs.job.spelling import spelling

log = logging.getLogger(__name__)

TRACEBACK = "traceback.txt"

T = TypeVar("T")


def run_job(
    host: Host, task: Callable[[], object], *, debug: bool = False, strict: bool = False
) -> int:
    """Run a task for a program: log one sentence for an error, return the exit code.

    Parameters
    ----------
    host
        The host that the task works for; told of the end by `Host.end`, last.
    task
        E.g. ``lambda: run_pick(host, settings)``; it calls `Host.begin`.
    debug
        Log the traceback of an error too.
    strict
        Whether single inputs that could not be used change the exit code.

    Returns
    -------
    int
        One of `frostpick_jobs.job.endings`: 128 + the signal's number for a stop.
    """
    signals = StopSignals()
    try:
        result = execute(host, task, signals=signals)
    except NothingYet:
        return NOTHING_YET  # the host has said why
    except BaseException as error:
        level = logging.WARNING if is_stop(error) else logging.ERROR
        told = sentence(error, host.spool, host.name)
        log.log(level, "%s", told, exc_info=error if debug else None)
        return _exit_code(error, signals)
    return PARTIAL if strict and _unused(result) else COMPLETE


def execute(host: Host, task: Callable[[], T], *, signals: StopSignals | None = None) -> T:
    """Run a task under the job's lock and signals, end the host, and return or raise.

    What scripts call: errors reach them as exceptions.

    Raises
    ------
    JobRunningError
        Another process works on this job; then the host is neither begun nor ended.
    NothingYet
        The session of the job still grows, and this round had nothing to do.
    FrostpickError, JobStopped, BaseException
        What the task raised, after `Host.end` was told.
    """
    signals = signals or StopSignals()
    reporter = host.reporter
    with signals, ExitStack() as lock, Journal(host) as journal:
        host.reporter, host.journal = ReporterWithSignals(reporter, signals), journal
        try:
            lock.enter_context(job_lock(host.spool))
            result = task()
        except JobRunningError as error:
            journal.finish(Outcome.FAILED, sentence(error, host.spool, host.name))
            raise
        except NothingYet as error:
            signals.closing()
            _end(host, Outcome.NOTHING_YET, sentence(error, host.spool, host.name))
            raise
        except BaseException as error:
            signals.closing()
            if is_bug(error):
                _keep_traceback(host.spool, error)
            outcome = Outcome.ABORTED if is_stop(error) else Outcome.FAILED
            _end(host, outcome, sentence(error, host.spool, host.name))
            raise
        else:
            signals.closing()
            _end(host, Outcome.FINISHED, unused_inputs(_unused(result)))
            return result
        finally:
            host.reporter, host.journal = reporter, None


def sentence(error: BaseException, spool: Path, host: str = "folder") -> str:
    """Return what a user of a host is told about an error: one sentence."""
    spell = spelling(host)
    if isinstance(error, FrostpickError):
        return spelled(error, spell)
    if is_stop(error):
        return f"{error}" if str(error) else "stopped"
    if is_out_of_gpu_memory(error):
        cpu = spelled(option("device", "cpu"), spell)
        return f"the GPU ran out of memory ({_first_line(error)}); choose another or {cpu}"
    if is_out_of_memory(error):
        threads = spelled(option("threads"), spell)
        return f"out of memory ({_first_line(error)}); free memory, or use fewer {threads}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{error.filename or spool}: no space left on the disk; free some and continue the job"
        )
    if isinstance(error, OSError):
        return f"{error.filename or 'file system'}: {error.strerror or error}"
    return (
        f"this is a bug in frostpick: {type(error).__name__}: {_first_line(error)}; "
        f"please report it with {spool / TRACEBACK}"
    )


def is_stop(error: BaseException) -> bool:
    """Tell whether somebody wanted the job to stop."""
    return isinstance(error, (JobStopped, KeyboardInterrupt))


def status_of_stop(error: BaseException) -> int:
    """Return the exit code for a stop: that of its signal, if one asked for it."""
    return 128 + error.number if isinstance(error, StoppedBySignal) else STOPPED


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, in Python or in torch's own allocator."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Tell whether the memory of a GPU ran out, without asking torch, which may not be loaded."""
    return isinstance(error, RuntimeError) and type(error).__name__ == "OutOfMemoryError"


def is_bug(error: BaseException) -> bool:
    """Tell whether nobody meant this error to reach the user."""
    meant = isinstance(error, (FrostpickError, OSError)) or is_stop(error)
    return not (meant or is_out_of_memory(error) or is_out_of_gpu_memory(error))


def _unused(result: object) -> Mapping[str, str]:
    return result.failed if isinstance(result, Result) else {}


def _exit_code(error: BaseException, signals: StopSignals) -> int:
    if is_stop(error):
        return status_of_stop(error) if signals.received is None else 128 + signals.received
    return FAILED


def _end(host: Host, outcome: Outcome, message: str) -> None:
    try:
        if host.journal is not None:
            host.journal.finish(outcome, message)
        host.end(outcome, message)
    except Exception:
        log.exception("the host could not be told that the job %s", outcome.value)


def _keep_traceback(spool: Path, error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    try:
        write_text(spool / TRACEBACK, text)
    except OSError as failure:
        log.warning("no traceback kept: %s", failure)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
