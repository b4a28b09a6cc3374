"""Which SLURM job a process runs in."""

from __future__ import annotations

import os


def slurm_job() -> str | None:
    """Return the number of the SLURM job that this process runs in, with its array task."""
    job, array = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_ARRAY_JOB_ID")
    if not array:
        return job or None
    return f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID', '')}"
