"""Which inputs of a task a front end has options for, and what they are called there."""

from __future__ import annotations

from frostpick_jobs.tasks.declarations import InputKind, InputSpec, TaskSpec

#: What comes in another way: RELION's own fields take everything but examples, and picks are
#: particles on a CryoSPARC server.
_NO_OPTION = {
    "relion": frozenset(InputKind) - {InputKind.EXAMPLES},
    "cryosparc": frozenset({InputKind.PICKS}),
}


def inputs_on(task: TaskSpec, host: str) -> tuple[InputSpec, ...]:
    """Return the inputs that have an option on a host, in the order of its help.

    On a CryoSPARC server the rows to decide on are always particles, and come first.
    """
    offered = [one for one in task.inputs if one.kind not in _NO_OPTION.get(host, ())]
    if host == "cryosparc":
        offered.sort(key=lambda one: one.kind is not InputKind.PARTICLES)
    return tuple(offered)
