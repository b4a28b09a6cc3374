"""A folder holds one kind of job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from frostpick.errors import InputError
from frostpick.runtime.atomic import write_text

CLAIM = "job.json"
#: Stands in the file of a job that keeps copies of its shipped models (`job.models`).
MODELS = "models"


def claim_output_folder(spool: Path, task: str) -> None:
    """Mark a spool as ``task``'s; `InputError` when another task has marked it."""
    refuse_other(spool, task)
    if claimed_by(spool) is None:
        write_text(spool / CLAIM, json.dumps({"task": task, MODELS: "kept"}) + "\n")


def refuse_other(spool: Path, task: str) -> None:
    """Raise `InputError` when another task than ``task`` has marked a spool."""
    found = claimed_by(spool)
    if found not in (None, task):
        raise InputError(
            f"{spool.parent}: this folder holds {_a(str(found))} job, not {_a(task)} job; "
            "give another output folder"
        )


def claimed_by(spool: Path) -> str | None:
    """Return the task a spool is marked with, or None."""
    found = _read(spool).get("task")
    return None if found is None else str(found)


def keeps_models(spool: Path) -> bool:
    """Tell whether a job keeps its shipped models; one that was marked before there was that not.

    A job that is not marked yet will.
    """
    return claimed_by(spool) is None or MODELS in _read(spool)


def _read(spool: Path) -> dict[str, Any]:
    try:
        found = json.loads((spool / CLAIM).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _a(task: str) -> str:
    return f"an {task}" if task[:1] in "aeiou" else f"a {task}"
