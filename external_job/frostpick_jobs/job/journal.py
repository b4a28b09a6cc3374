"""What a job leaves for those who did not see it run: its log, and one record of each run.

Both grow and are never replaced: ``frostpick.log`` by a line for each message, ``runs.jsonl`` by
a line of JSON for each run. Nothing here stops a job: where the disk takes no line, it is lost.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from frostpick._version import __version__
from frostpick_jobs.job.secrets import hide_secrets, without_secrets
from frostpick_jobs.job.slurm import slurm_job
from frostpick_jobs.job.spelling import SpelledFormatter

if TYPE_CHECKING:
    from frostpick_jobs.job.host import Host, Outcome

LOG, RUNS = "frostpick.log", "runs.jsonl"
#: How the first and the last line of a run begin, by which `frostpick doctor` finds them.
BEGINS, ENDS = "run begins", "run ends"
LOGGERS = ("frostpick", "frostpick_jobs")


def append_line(path: Path, line: str) -> None:
    """Append one line by one call, so that two processes never mix theirs.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, f"{line}\n".encode("utf-8", "backslashreplace"))
    finally:
        os.close(handle)


def log_line(level: str, text: str, seconds: float | None = None) -> str:
    """Return a line of the log: time in UTC, machine, process, SLURM job, version, level, text."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    where = f"{platform.node()} {os.getpid()} slurm={slurm_job() or '-'}"
    return f"{moment} {where} frostpick={__version__} {level} {without_secrets(text)}"


def note_in_log(folder: Path, level: str, text: str) -> None:
    """Append to the log of a job that did not come to its host; never raises."""
    try:
        for line in text.splitlines() or [""]:
            append_line(folder / LOG, log_line(level, line))
    except OSError:
        pass


class Journal(logging.Handler):
    """The log and the records of a job, for the time of one run.

    Parameters
    ----------
    host
        The job; its `Host.log_folder` holds the two files.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host, self._folder = host, host.log_folder
        self._began, self._cpu = time.time(), _cpu_seconds()
        self._ended: Outcome | None = None
        self._last_line = ""
        self.setFormatter(SpelledFormatter(host.name))

    def __enter__(self) -> Journal:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            pass  # the job itself will say why
        self._write("INFO", f"{BEGINS}: {_command()}")
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self)
        self.close_log()

    def emit(self, record: logging.LogRecord) -> None:
        """Append a message, each of its lines by itself."""
        self._write(record.levelname, self.format(record), record.created)

    def finish(self, outcome: Outcome, message: str = "") -> None:
        """Append the record of the run; a second time nothing. The log goes on to `close_log`.

        A run that ends otherwise than was written, such as a job whose server fails at the last
        step, gets a second record: the later one holds.
        """
        if outcome is self._ended:
            return
        self._ended = outcome
        from frostpick_jobs.job.run_line import run_line

        cpu = _cpu_seconds() - self._cpu
        try:
            told = run_line(self._host, outcome, message, _command(), self._began, cpu)
            append_line(self._folder / RUNS, json.dumps(hide_secrets(told)))
        except Exception as error:
            self._write("ERROR", f"no record of this run: {type(error).__name__}: {error}")
        self._last_line = f"{ENDS}: {outcome.value}{f': {message}' if message else ''}"

    def close_log(self) -> None:
        """Write the last line of a run that has ended; a second time nothing."""
        if self._last_line:
            self._write("INFO", self._last_line)
        self._last_line = ""

    def _write(self, level: str, text: str, seconds: float | None = None) -> None:
        try:
            for line in text.splitlines() or [""]:
                append_line(self._folder / LOG, log_line(level, line, seconds))
        except OSError:
            pass


def _command() -> str:
    import shlex
    import sys

    return shlex.join(sys.argv)


def _cpu_seconds() -> float:
    """Return the processor seconds of this process and of those that it waited for."""
    return sum(os.times()[:4])
