"""One run of a job, as a line of ``runs.jsonl``."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostpick.errors import FrostpickError
from frostpick.runtime.run_record import plain, versions
from frostpick_jobs.job.host import Outcome
from frostpick_jobs.job.slurm import slurm_job

if TYPE_CHECKING:
    from frostpick_jobs.job.host import Host

#: What is taken over from the run record; all of it is in ``run.json`` of the last run.
TAKEN = (
    *(
        "task",
        "versions",
        "micrographs_read",
        "settings",
        "model",
        "shipped",
        "counts",
        "threshold",
        "diameter_A",
    ),
    *("min_distance_A", "contrast", "device", "devices", "threads", "precision", "noise"),
    *("method", "exemplars", "best_round", "write", "warnings", "seconds"),
)
#: A larger file of input is known by size and date: reading it would cost as much as the job.
MOST_BYTES = 1 << 28


def run_line(
    host: Host, outcome: Outcome, message: str, command: str, began: float, cpu_s: float
) -> dict[str, Any]:
    """Return what is on record of a run, as JSON values.

    Parameters
    ----------
    message
        Why it did not come to its end, or what it could not use.
    command
        The command line.
    began
        Time of day in seconds.
    cpu_s
        Processor seconds, of all processes.
    """
    record: Mapping[str, Any] = {} if host.record is None else host.record.finished()
    now = datetime.now(timezone.utc)
    told = {
        "started": datetime.fromtimestamp(began, timezone.utc).isoformat(timespec="seconds"),
        "ended": now.isoformat(timespec="seconds"),
        "outcome": outcome.value,
        "message": message,
        "command": command,
        "folder": os.getcwd(),
        "machine": platform.node(),
        "process": os.getpid(),
        "slurm_job": slurm_job(),
        "host": host.name,
        "job": host.place.job,
        "wall_s": round(now.timestamp() - began, 3),
        "cpu_s": round(cpu_s, 3),
        "inputs": {name: [_file(one) for one in given] for name, given in host.given.items()},
        "versions": versions(),
        **{name: record[name] for name in TAKEN if name in record},
    }
    if told.get("device") is None:
        told["device"] = _device(record)
    values: dict[str, Any] = plain(told)
    return values


def _file(given: object) -> dict[str, Any]:
    """Return what was given, and what tells one content of a file from another."""
    told: dict[str, Any] = {"given": str(given)}
    path = Path(str(given))
    try:
        if not path.is_file():
            return told
        size = path.stat().st_size
        told["bytes"] = size
        if size > MOST_BYTES:
            told["modified_s"] = path.stat().st_mtime
        else:
            with path.open("rb") as handle:
                digest = hashlib.sha256()
                while block := handle.read(1 << 20):
                    digest.update(block)
            told["sha256"] = digest.hexdigest()
    except (OSError, ValueError):
        pass
    return told


def _device(record: Mapping[str, Any]) -> str | None:
    """Return the device of a task that does not name it in its record."""
    asked = record.get("settings", {}).get("device")
    if asked is None:
        return None
    from frostpick.runtime.device import settled_device

    try:
        return str(settled_device(str(asked)))
    except FrostpickError:
        return None
