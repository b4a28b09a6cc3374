"""The note that a job's finished work was removed on purpose, for those who look for it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

from frostpick.runtime.atomic import write_text

NOTE = "cleaned.json"


def note_cleaned(spool: Path) -> None:
    """Note in a spool that what it kept of finished work goes now."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    write_text(spool / NOTE, json.dumps({"when": now}) + "\n")


def forget_cleaned(spool: Path) -> None:
    """Take the note back: the job works again."""
    (spool / NOTE).unlink(missing_ok=True)


def why_empty(spool: Path, otherwise: str) -> str:
    """Return why a job has no finished work: it was removed, or ``otherwise``."""
    try:
        when = json.loads((spool / NOTE).read_text(encoding="utf-8"))["when"]
    except (OSError, ValueError, KeyError, TypeError):
        return otherwise
    return (
        f"what this job kept of its finished work was removed by frostpick clean on "
        f"{when}; its tables are still there, and the same command again does the work anew"
    )
