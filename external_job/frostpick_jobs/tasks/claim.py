"""A folder holds one kind of job."""

from __future__ import annotations

import json
from pathlib import Path

from frostpick.errors import InputError
from frostpick.runtime.atomic import write_text

CLAIM = "job.json"


def claim(spool: Path, task: str) -> None:
    """Mark a spool as ``task``'s; `InputError` when another task has marked it."""
    found = claimed_by(spool)
    if found is None:
        write_text(spool / CLAIM, json.dumps({"task": task}) + "\n")
    elif found != task:
        raise InputError(
            f"{spool.parent}: this folder holds {_a(found)} job, not {_a(task)} job; "
            "give another output folder"
        )


def claimed_by(spool: Path) -> str | None:
    """Return the task a spool is marked with, or None."""
    try:
        return str(json.loads((spool / CLAIM).read_text(encoding="utf-8"))["task"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _a(task: str) -> str:
    return f"an {task}" if task[:1] in "aeiou" else f"a {task}"
