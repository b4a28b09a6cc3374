"""What is wrong in the folder of a job."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostpick.errors import ModelError, first_of
from frostpick.models.model_file import WEIGHTS, read_model_file
from frostpick_jobs.commands.doctor.finding import Finding, do, note, ok
from frostpick_jobs.hosts.folder.host import SPOOL
from frostpick_jobs.job.journal import BEGINS, ENDS, LOG, RUNS
from frostpick_jobs.job.lifecycle import TRACEBACK
from frostpick_jobs.job.own_files import EVERYTHING, NOTE
from frostpick_jobs.job.written import WrittenNames

#: Names that give away whose job a folder is, where no run is on record yet.
_SIGNS = {"relion": ("job.star", "RELION_*", "run.job"), "cryosparc": ("frostpick.json",)}
NAMED = 3
#: Bytes of the end of a log in which its last run begins.
TAIL = 1 << 22


@dataclass(frozen=True)
class JobFolder:
    """The folder of a job, or the spool of one whose folder is on a server.

    Parameters
    ----------
    runs
        The records of its runs, the latest last.
    """

    path: Path
    runs: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, path: Path) -> JobFolder:
        """Read the records of a folder; damaged lines are left out."""
        return cls(path, tuple(_records(path / RUNS)))

    @property
    def host(self) -> str:
        """Name of the job's host."""
        if self.runs:
            return str(self.runs[-1].get("host"))
        for host, names in _SIGNS.items():
            if any(any(self.path.glob(name)) for name in names):
                return host
        return "folder"

    @property
    def spool(self) -> Path:
        """Where the job keeps what a resume needs."""
        inner = self.path / SPOOL
        return inner if inner.is_dir() else self.path


def look_at_output(job: JobFolder) -> Iterator[Finding]:
    """Tell what is wrong in a job's folder."""
    out = job.path
    if not out.is_dir():
        yield do(f"{out}: no such folder; give the folder of a job")
        return
    if not job.runs and not (out / LOG).exists():
        yield do(f"{out}: no run of frostpick is on record here; give the folder of a job")
        return
    owner = _working_here(job.spool)
    if owner:
        yield ok(f"{out}: a job is running, process {owner}")
    else:
        yield from _last_run(job)
        yield from _lost_files(job)
    yield from _models(out)


def _last_run(job: JobFolder) -> Iterator[Finding]:
    killed = unfinished_run(job.path / LOG)
    if killed is not None:
        yield do(killed)
    if not job.runs:
        return
    last = job.runs[-1]
    outcome, message = last.get("outcome"), last.get("message") or ""
    when = f"{job.path}: the last run ({last.get('task') or last.get('command')}, "
    when += f"ended {last.get('ended')})"
    if outcome == "failed":
        yield do(f"{when} failed: {message}")
        if (job.spool / TRACEBACK).exists():
            yield do(f"{job.spool / TRACEBACK}: a bug of frostpick; report it with --bundle")
    elif outcome == "aborted":
        yield do(f"{when} was stopped: {message}; give the same command again, it goes on")
    elif outcome == "nothing to do yet":
        yield note(f"{when} had nothing to do yet: {message}")
    else:
        yield ok(f"{when} came to its end")
        if message:
            yield note(message)
        for text in last.get("warnings", ()):
            yield note(f"it warned: {text}")


def unfinished_run(log: Path) -> str | None:
    """Return a sentence on the last run of a log that has no last line; None where it has one."""
    begun: dict[tuple[str, str], list[str]] = {}
    for line in _tail(log).splitlines():
        words = line.split(" ", 6)
        if len(words) < 7:
            continue
        run, text = (words[1], words[2]), words[6]
        if text.startswith(f"{BEGINS}: "):
            begun = {run: words}  # an older one that was killed has been continued
        elif text.startswith(f"{ENDS}: "):
            begun.pop(run, None)
    if not begun:
        return None
    ((machine, process), words) = next(iter(begun.items()))
    slurm = words[3].removeprefix("slurm=")
    asked = "" if slurm == "-" else f" (sacct -j {slurm} --format=State,MaxRSS says which)"
    return (
        f"{log.parent}: the run of {words[0]}, process {process} on {machine}, did not come to its "
        f"end: it was killed, ran out of memory or time, or the machine went down{asked}; give the "
        "same command again, it goes on"
    )


def _working_here(spool: Path) -> str:
    """Return which process holds the job's lock; empty for none."""
    try:
        with (spool / "lock").open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return handle.read(64).decode("ascii", "replace").strip() or "unknown"
    except OSError:
        pass
    return ""


def _lost_files(job: JobFolder) -> Iterator[Finding]:
    if not job.runs or job.runs[-1].get("outcome") != "finished":
        return
    names = [one for one in WrittenNames(job.spool / NOTE).stale(()) if one != EVERYTHING]
    lost = [name for name in names if not os.path.lexists(job.path / name)]
    if lost:
        yield do(
            f"{job.path}: {len(lost)} of the files that the job wrote are gone: "
            f"{first_of(lost, NAMED)}; give the same command again, it writes them"
        )


def _models(out: Path) -> Iterator[Finding]:
    for path in sorted(out.glob(f"*/{WEIGHTS}")):
        try:
            read_model_file(path)
        except (ModelError, OSError) as error:
            yield do(f"{error}; the model is of no use: train again, or bring back a copy")


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for line in _tail(path).splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            handle.seek(max(0, path.stat().st_size - TAIL))
            return handle.read().decode("utf-8", "replace")
    except OSError:
        return ""
