"""Whether a Scheme of RELION (a Schedule in 3.1) runs this job, again and again.

Both write the job's name into the table of their jobs before they start it.
"""

from __future__ import annotations

from pathlib import Path

from frostpick.errors import FrostpickError
from frostpick_jobs.formats import read_star_blocks

#: Files below the project folder, and the column of their tables that names jobs.
_FILES = {
    "Schemes/*/scheme.star": "rlnSchemeJobName",
    "Schedules/*/schedule.star": "rlnScheduleJobName",
}


def in_a_scheme(prefix: str) -> bool:
    """Tell whether a Scheme of the project, the working folder, has started a job.

    Parameters
    ----------
    prefix
        The job folder as RELION writes it, with its slash: ``External/job012/``.
    """
    return any(
        prefix in _column(path, column)
        for pattern, column in _FILES.items()
        for path in sorted(Path().glob(pattern))
    )


def _column(path: Path, column: str) -> list[str]:
    """Return the jobs that a Scheme names; none where its file cannot be read just now."""
    try:
        blocks = read_star_blocks(path)
    except (FrostpickError, OSError):
        return []
    return [str(name) for one in blocks.values() for name in one.columns.get(column, ())]
