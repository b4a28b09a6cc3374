"""What the user asked for: where, on which outputs, with which image and model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL
from frostpick_jobs.hosts.cryosparc.server.references import JobRef, OutputRef

Task = Literal["train", "iterate", "pick", "fewshot", "prune", "verify"]
#: Tasks that give a model.
TRAINING_TASKS = ("train", "iterate")
#: Tasks that learn from particles.
LEARNING_TASKS = (*TRAINING_TASKS, "fewshot")
#: Tasks that look at the rows of a particle input.
PRUNING_TASKS = ("prune", "verify")


@dataclass(frozen=True)
class JobRequest:
    """An External job to make, to take over or to resume.

    Parameters
    ----------
    workspace
        Where to make it; None with ``job``.
    job
        An External job that exists already.
    micrographs, particles
        Outputs to connect; may be empty with ``job``.
    good, bad, bad_is_rest
        Outputs with known particles and non-particles, for pruning; with ``bad_is_rest``
        all particles that are not good are bad.
    image_slot
        Slot of the image to read.
    model_job
        The training job the model comes from, for the graph.
    title, description
        Of a new job; the description is markdown.
    flip_y
        Images and picks are mirrored top to bottom.
    from_model
        A training starts from a model, so that it may do without particles.
    again
        The command that resumes the job, without ``--job``.
    """

    task: Task
    project: str
    workspace: str | None = None
    job: str | None = None
    micrographs: tuple[OutputRef, ...] = ()
    particles: tuple[OutputRef, ...] = ()
    good: tuple[OutputRef, ...] = ()
    bad: tuple[OutputRef, ...] = ()
    bad_is_rest: bool = False
    image_slot: str = ORIGINAL
    model_job: JobRef | None = None
    title: str = ""
    description: str = ""
    flip_y: bool = False
    from_model: bool = False
    again: str = ""

    def resume_command(self, job: str) -> str:
        """Return the command that resumes the job once it exists."""
        again = self.again or f"frostpick cryosparc {self.task} --project {self.project}"
        return f"{again} --job {job}"
