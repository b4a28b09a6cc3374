"""What a job has left in its folder."""

from __future__ import annotations

import json
import os
from typing import Dict


def record_of(job: str) -> Dict[str, object]:
    """Return the run record of a job; empty while there is none."""
    try:
        with open(os.path.join(job, "run.json"), encoding="utf-8") as handle:
            record: Dict[str, object] = json.load(handle)
    except (OSError, ValueError):
        return {}
    return record
