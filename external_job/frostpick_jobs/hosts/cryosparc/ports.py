"""Which inputs and outputs of an External job stand for those of a task's declaration.

Picks are particles here: rows of picks come in as particles, with the micrographs they lie on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from frostpick.errors import InputError
from frostpick_jobs.hosts.cryosparc.server.job_view import InputView, JobView
from frostpick_jobs.tasks.declarations import InputKind, InputSpec, OutputKind, TaskSpec

MICROGRAPHS, PARTICLES = "micrographs", "particles"
#: Connects a picking job to the job that trained its model, for the graph alone.
TRAINING = "training"
#: Output with a picking model; it is connected to nothing, the model is a setting.
MODEL = "model"
#: Picks at or above the threshold, and all above the floor.
PICKS, ALL_PICKS = "particles", "particles_all"
#: The rows of a particle input in two parts.
KEPT, REJECTED = "particles_kept", "particles_rejected"
#: All rows of a particle input with their scores.
VERIFIED = "particles_verified"

#: The run record, in the job's folder.
RECORD = "frostpick.json"

#: Kinds of input whose rows are particles that a task learns from.
LEARNED_FROM = (InputKind.LABELS, InputKind.EXEMPLARS)
_OUTPUTS = {
    OutputKind.PICKS: PICKS,
    OutputKind.KEPT_ROWS: KEPT,
    OutputKind.SCORED_ROWS: VERIFIED,
}


@dataclass(frozen=True)
class Port:
    """An input of an External job.

    Parameters
    ----------
    spec
        The task's input that it stands for.
    type, name, title
        As it is made; one that was made in the web page may have another name.
    """

    spec: InputSpec
    type: str
    name: str
    title: str

    @property
    def kind(self) -> InputKind:
        """What the input holds."""
        return self.spec.kind


def ports(task: TaskSpec) -> tuple[Port, ...]:
    """Return the inputs that a task has here, micrographs first."""
    found = [_port(task, one) for one in task.inputs if one.kind is not InputKind.PICKS]
    return tuple(sorted(found, key=lambda port: port.kind is not InputKind.MICROGRAPHS))


def port_of(task: TaskSpec, *kinds: InputKind) -> Port | None:
    """Return the first input of some kinds; None where the task has none."""
    return next((port for port in ports(task) if port.kind in kinds), None)


def find_input(view: JobView, task: TaskSpec, port: Port) -> InputView | None:
    """Return the input of a job that stands for one of its task; None when there is none.

    The one of our name, else the only one of its type; examples are known by name alone.

    Raises
    ------
    InputError
        There are several and none has our name.
    """
    if port.kind is InputKind.EXAMPLES:
        return view.inputs.get(port.name)
    others = {TRAINING, *(one.name for one in ports(task) if one.kind is InputKind.EXAMPLES)}
    of_type = {n: i for n, i in view.inputs.items() if i.type == port.type and n not in others}
    if port.name in of_type:
        return of_type[port.name]
    if len(of_type) > 1:
        raise InputError(
            f"{view.uid} has several {port.type} inputs ({', '.join(of_type)}); "
            f"rename the one to use to {port.name!r}"
        )
    return next(iter(of_type.values()), None)


def gives_picking_model(task: TaskSpec) -> bool:
    """Tell whether a task has an output with a picking model."""
    return any(one.kind is OutputKind.MODEL and one.name == MODEL for one in task.outputs)


def gives_micrographs(task: TaskSpec) -> bool:
    """Tell whether the micrographs are an output too: of tasks that pick, and that train."""
    worked_on = task.gives(OutputKind.PICKS) or gives_picking_model(task)
    return worked_on and port_of(task, InputKind.MICROGRAPHS) is not None


def boxes_from(on_micrographs: bool) -> str:
    """Return the slot that the boxes of rows are made from.

    Parameters
    ----------
    on_micrographs
        Micrographs are connected, to cut the boxes from; else the rows have images of their own.
    """
    return "location" if on_micrographs else "blob"


def reference(task: TaskSpec, job: str, output: str) -> str:
    """Return what names an output of a job in the settings or inputs of another.

    Parameters
    ----------
    job
        ``J20``: it names a model, too.
    output
        By its name in the declaration; `KeyError` where there is none.
    """
    kind = {one.name: one.kind for one in task.outputs}[output]
    if kind is OutputKind.REPORT:
        return f"{job}/{RECORD}"
    return f"{job}.{_OUTPUTS[kind]}" if kind in _OUTPUTS else job


def _port(task: TaskSpec, spec: InputSpec) -> Port:
    if spec.kind is InputKind.MICROGRAPHS:
        return Port(spec, "exposure", MICROGRAPHS, "Micrographs")
    if spec.kind is InputKind.EXAMPLES:
        title = re.split("[,;.]", spec.help_on("cryosparc"))[0]
        # its input was made under this name before there was one word for labels
        name = "good" if spec.name == "labels" else spec.name
        return Port(spec, "particle", f"{PARTICLES}_{name}", title)
    doing = "learn from" if spec.kind in LEARNED_FROM else task.name
    return Port(spec, "particle", PARTICLES, f"Particles to {doing}")
