"""What to click after a job in RELION."""

from __future__ import annotations


def next_step(task: str, reference: str, model: str, *, good: bool, particles: bool) -> str:
    """Return what comes after a task.

    Parameters
    ----------
    reference
        The output that goes into the next job, as RELION writes paths.
    model
        The job's model.
    good
        Whether the results look good.
    particles
        Whether rows are extracted particles; else they are coordinates.
    """
    extract = f"Particle extraction, 'Input coordinates' {reference}"
    if task in ("pick", "fewshot"):
        if not good:
            return f"look at the picks (Display of {reference}), then {extract}"
        return extract
    if task == "prune":
        return f"2D classification, 'Input images STAR file' {reference}" if particles else extract
    if task == "verify":
        return (
            f"Subset selection, 'OR select from particles.star' {reference}"
            if particles
            else (
                f"Particle extraction, 'Input coordinates' {reference}, with a minimum autopick FOM"
            )
        )
    return f"External, executable frostpick-relion-pick, label model = {model}"
