"""What to connect or type after a job in CryoSPARC."""

from __future__ import annotations


def next_step(task: str, project: str, job: str, *, good: bool, extracted: bool) -> str:
    """Return what comes after a task.

    Parameters
    ----------
    good
        Whether the results look good.
    extracted
        Whether rows have images of their own; else they lie on micrographs.
    """
    if task in ("pick", "fewshot"):
        extract = f"connect {job}.particles and {job}.micrographs to Extract From Micrographs"
        inspect = f"{job}.particles_all to Inspect Picks"
        if good:
            return f"{extract}; for another threshold {inspect}"
        return f"look at them: connect {inspect}; or {extract}"
    if task == "prune":
        where = "2D Classification" if extracted else "Extract From Micrographs"
        return f"connect {job}.particles_kept to {where}"
    if task == "verify":
        return f"connect {job}.particles_verified to Inspect Picks, or to Subset Particles"
    return (
        f"frostpick cryosparc pick --project {project} --workspace W1 --micrographs J1.exposures "
        f"--model {job}, with your workspace and job"
    )
