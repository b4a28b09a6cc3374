"""What scripts and commands call on a finished job: select anew, read its picks, audit them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from frostpick.errors import InputError
from frostpick.types import Picks
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.job.lock import job_lock
from frostpick_jobs.job.results import PickingResult
from frostpick_jobs.tasks.pick.read_back import read_back
from frostpick_jobs.tasks.select import run_select

if TYPE_CHECKING:
    from frostpick_jobs.tasks.audit.run import AuditResult

APath = str | os.PathLike[str]


def select(out: APath, threshold: str | float) -> PickingResult:
    """Select anew among the picks of a finished folder job, without inference.

    Parameters
    ----------
    out
        The output folder of `pick` or `fewshot`.
    threshold
        ``auto``, a score, ``p=PROBABILITY``, ``precision=EXPECTED``, ``fraction=PART`` or
        ``per-micrograph=NUMBER``.

    Raises
    ------
    InputError
        The folder holds no picking job that came to its end.
    """
    host = picking_job(Path(out))
    return execute(host, lambda: run_select(host, str(threshold)))


def picks_of(out: APath | PickingResult) -> dict[str, Picks]:
    """Return the picks of a finished `pick` or `fewshot` by micrograph, with all digits.

    Parameters
    ----------
    out
        The output folder, that of a job of RELION too, or the result.

    Returns
    -------
    dict
        `Picks` above the floor by micrograph, in the job's order; ``selected`` says which are
        selected. An array that was given as ``m1`` is ``m1.mrc``.

    Raises
    ------
    InputError
        The folder holds no picking job that came to its end.
    """
    folder = out.folder if isinstance(out, PickingResult) else Path(out)
    if folder is None:
        raise InputError("the folder of this job is not on this machine; its host has the picks")
    spool = picking_job(folder).spool
    with job_lock(spool):
        return read_back(spool)


def audit(
    out: APath, *, picks: int = 60, seed: int = 0, more: bool = False, new: bool = False
) -> AuditResult:
    """Draw picks of a finished job for a person to judge, or tell what the answers say.

    Parameters
    ----------
    out
        The output folder of `pick`, `fewshot` or `prune`, or the folder of such a job of RELION.
    picks, seed
        How many to draw, and by which random numbers.
    more, new
        Draw once more beside what was drawn; draw anew, for picks that have changed.

    Raises
    ------
    InputError
        There are no picks here, an answer is not understood, or the picks have changed.
    """
    # what an audit needs, a prune among it, no other task has to load
    from frostpick_jobs.tasks.audit.run import run_audit
    from frostpick_jobs.tasks.audited import population_of

    return run_audit(picking_job(Path(out)).spool, population_of, picks, seed, more=more, new=new)


def picking_job(out: Path) -> FolderHost:
    """Return the host of a folder that holds a job; `InputError` where it holds none."""
    host = FolderHost(out, {})
    if not host.spool.is_dir():
        raise InputError(f"{out}: no picking job here; give the output folder of pick")
    return host
