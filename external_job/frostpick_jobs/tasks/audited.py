"""What a job leaves that a person may judge: its picks, or the rows that it decided on."""

from __future__ import annotations

from pathlib import Path

from frostpick.errors import InputError
from frostpick_jobs.job.output_folder import claimed_by
from frostpick_jobs.tasks.audit.population import Population
from frostpick_jobs.tasks.pick.population import picks_of
from frostpick_jobs.tasks.prune.population import SPOOL, rows_of


def population_of(spool: Path) -> Population:
    """Return the picks of a finished job.

    Raises
    ------
    InputError
        The folder holds none: no job, another task, or one that did not come to its end.
    """
    job, task = spool.parent, claimed_by(spool)
    if task == "prune":
        return rows_of(spool / SPOOL, job)
    if task in ("train", "iterate", "pretrain"):
        raise InputError(f"{job}: {task} makes a model and no picks; pick with it, and audit those")
    if task not in ("pick", "fewshot"):
        what = "no job" if task is None else f"a job of {task}"
        raise InputError(f"{job}: {what} here; give the output folder of pick, fewshot or prune")
    return picks_of(spool)
