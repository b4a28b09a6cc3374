"""What the user asked for: where, on which outputs, with which image and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from frostpick.errors import ConfigError, option
from frostpick_jobs.hosts.cryosparc.ports import ports
from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL
from frostpick_jobs.hosts.cryosparc.read.mounts import AS_TOLD, Mounts
from frostpick_jobs.hosts.cryosparc.server.references import JobRef, OutputRef, parse_output
from frostpick_jobs.job.spelling import in_cryosparc
from frostpick_jobs.tasks.declarations import REST, TaskSpec, inputs_of_today, is_rest


@dataclass(frozen=True)
class JobRequest:
    """An External job to make, to take over or to resume.

    Parameters
    ----------
    workspace
        Where to make it; None with ``job``.
    job
        An External job that exists already.
    inputs
        Outputs to connect, such as ``J10.exposures``, by the names of the task's inputs; may be
        empty with ``job``. The word ``rest`` stands for all rows that are not in another input.
        Kept as outputs and that word; an input that nothing was given for is left out.
    image_slot
        Slot of the image to read.
    model_job
        The training job the model comes from, for the graph; the settings tell it.
    title, description
        Of a new job; the description is markdown.
    flip_y
        Images and picks are mirrored top to bottom.
    download
        Download all files, also where the project is mounted here.
    mounts
        Where folders of the server are here.
    again
        The command that resumes the job, without ``--job``.

    Raises
    ------
    ConfigError
        The task has no such input here, or a text names no output.
    """

    task: TaskSpec
    project: str
    workspace: str | None = None
    job: str | None = None
    inputs: Mapping[str, tuple[OutputRef | str, ...]] = field(default_factory=dict)
    image_slot: str = ORIGINAL
    model_job: JobRef | None = None
    title: str = ""
    description: str = ""
    flip_y: bool = False
    download: bool = False
    mounts: Mounts = AS_TOLD
    again: str = ""

    def __post_init__(self) -> None:
        """Refuse what does not go together, and read the texts that name outputs."""
        known = [port.spec.name for port in ports(self.task)]
        if self.download and self.mounts.pairs:
            raise ConfigError(
                f"{option('download')} reads nothing in place, {option('map')} tells where to; "
                "give one of them"
            )
        inputs = inputs_of_today(self.task, "cryosparc", self.inputs)
        unknown = [name for name, given in inputs.items() if given and name not in known]
        if unknown:
            raise ConfigError(
                f"{self.task.name} has no input {unknown[0]!r} in CryoSPARC; it has: "
                f"{', '.join(known)}"
            )
        read = {name: self._read(name, given) for name, given in inputs.items() if given}
        object.__setattr__(self, "inputs", read)

    def outputs_for(self, name: str) -> tuple[OutputRef, ...]:
        """Return the outputs to connect to an input, none where it is the word ``rest``."""
        return tuple(one for one in self.inputs.get(name, ()) if isinstance(one, OutputRef))

    def is_rest(self, name: str) -> bool:
        """Tell whether an input was given as the word ``rest``."""
        return bool(self.task.input(name).rest) and is_rest(self.inputs, name)

    def resume_command(self, job: str, *, unwired: bool = False) -> str:
        """Return the command that resumes the job once it exists.

        Parameters
        ----------
        unwired
            The job may lack connections: the command makes those that were asked for.
        """
        words = [f"frostpick cryosparc {self.task.name} --project {self.project}"]
        names = [port.spec.name for port in ports(self.task)]
        words += [in_cryosparc(name, REST) for name in names if self.is_rest(name)]
        words = [self.again or " ".join(words), "--job", job]
        if unwired:
            words += [in_cryosparc(name, str(o)) for name in names for o in self.outputs_for(name)]
        return " ".join(words)

    def _read(self, name: str, given: Sequence[OutputRef | str]) -> tuple[OutputRef | str, ...]:
        if self.is_rest(name):
            return (REST,)
        return tuple(
            one
            if isinstance(one, OutputRef)
            else parse_output(one, option(self.task.input(name).mark))
            for one in given
        )
