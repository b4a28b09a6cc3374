"""The tasks: one declaration each; a new one is a module here and its name in `TASKS`."""

from frostpick_jobs.tasks.declarations.check import (
    REST,
    check_inputs,
    inputs_of_today,
    is_rest,
    refuse_unused,
)
from frostpick_jobs.tasks.declarations.fewshot import FEWSHOT
from frostpick_jobs.tasks.declarations.iterate import ITERATE
from frostpick_jobs.tasks.declarations.pick import PICK
from frostpick_jobs.tasks.declarations.pretrain import PRETRAIN
from frostpick_jobs.tasks.declarations.prune import PRUNE
from frostpick_jobs.tasks.declarations.spec import (
    HOSTS,
    Given,
    InputKind,
    InputSpec,
    Method,
    OutputKind,
    OutputSpec,
    TaskSpec,
)
from frostpick_jobs.tasks.declarations.train import TRAIN
from frostpick_jobs.tasks.declarations.verify import VERIFY

#: In the order of help texts.
TASKS: tuple[TaskSpec, ...] = (TRAIN, ITERATE, PICK, FEWSHOT, PRETRAIN, PRUNE, VERIFY)

__all__ = [
    "FEWSHOT",
    "HOSTS",
    "ITERATE",
    "PICK",
    "PRETRAIN",
    "PRUNE",
    "REST",
    "TASKS",
    "TRAIN",
    "VERIFY",
    "Given",
    "InputKind",
    "InputSpec",
    "Method",
    "OutputKind",
    "OutputSpec",
    "TaskSpec",
    "check_inputs",
    "inputs_of_today",
    "is_rest",
    "refuse_unused",
    "task_named",
    "tasks_on",
]


def task_named(name: str) -> TaskSpec:
    """Return a task by its name; `KeyError` where there is none."""
    return {task.name: task for task in TASKS}[name]


def tasks_on(host: str) -> tuple[TaskSpec, ...]:
    """Return the tasks that run on a host."""
    return tuple(task for task in TASKS if host in task.hosts)
