"""Calls as they were written before every task had one shape; they work until 2.0."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from frostpick.errors import ConfigError
from frostpick.settings import told_of
from frostpick_jobs.job.host import Host
from frostpick_jobs.tasks.declarations import TaskSpec

F = TypeVar("F", bound=Callable[..., Any])


def order_before(*names: str) -> Callable[[F], F]:
    """Let a task be called with its inputs and then the folder by position, with a warning.

    A host stood for the micrographs, by position or by name, and no folder with it.

    Parameters
    ----------
    names
        What the arguments by position meant: ``pick(micrographs, out)``.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            in_order = len(arguments) < 2 and not (arguments and "out" in keywords)
            if in_order and not isinstance(keywords.get(names[0]), Host):
                return function(*arguments, **keywords)
            if len(arguments) > len(names):
                raise TypeError(f"{function.__name__}() takes out by position and the rest by name")
            new = f"{function.__name__}(out, {', '.join(f'{n}=...' for n in names[:-1])})"
            warnings.warn(
                f"{function.__name__}({', '.join(names)}) is the order of before, which goes with "
                f"version 2.0; write {new}",
                DeprecationWarning,
                stacklevel=2,
            )
            placed = dict(zip(names, arguments, strict=False))
            twice = sorted(placed.keys() & keywords.keys())
            if twice:
                raise TypeError(f"{function.__name__}() got {twice[0]!r} twice")
            given = placed | keywords
            if isinstance(given.get(names[0]), Host):
                if given.get("out") is not None:
                    raise ConfigError("a host has its own output folder; leave out away")
                given["out"] = given.pop(names[0])
            return function(**given)

        return call  # type: ignore[return-value]

    return decorate


def names_before(task: TaskSpec) -> Callable[[F], F]:
    """Let a task's inputs be given by their names of before on a folder, with a warning."""
    names = {old: one.name for one in task.inputs for old in one.was.get("folder", ())}

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            for old, new in names.items():
                if old not in keywords:
                    continue
                if new in keywords:
                    raise TypeError(f"{function.__name__}() got {new!r} twice, also as {old!r}")
                warnings.warn(told_of(old, new), DeprecationWarning, stacklevel=2)
                keywords[new] = keywords.pop(old)
            return function(*arguments, **keywords)

        return call  # type: ignore[return-value]

    return decorate
