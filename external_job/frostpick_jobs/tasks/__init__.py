"""What a job does, whatever program it runs in: declarations, and runs over `Host` and the store.

Read `declarations` first. The runs are loaded when they are first used: they need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frostpick_jobs.tasks.fewshot import run_fewshot
    from frostpick_jobs.tasks.iterate import run_iterate
    from frostpick_jobs.tasks.pick.run import run_pick
    from frostpick_jobs.tasks.pretrain import run_pretrain
    from frostpick_jobs.tasks.prune.run import run_prune, run_verify
    from frostpick_jobs.tasks.train import run_train

__all__ = [
    "run_fewshot",
    "run_iterate",
    "run_pick",
    "run_pretrain",
    "run_prune",
    "run_train",
    "run_verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'frostpick_jobs.tasks' has no attribute {name!r}")
    from frostpick_jobs.tasks.declarations import task_named

    module, _, function = task_named(name.removeprefix("run_")).run.partition(":")
    return getattr(import_module(module), function)
