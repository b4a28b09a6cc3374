"""Whether what was given to a task goes together: the same sentences on every host."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TypeVar

from frostpick.errors import ConfigError, InputError, option
from frostpick.settings import Settings, both_names, told_of
from frostpick_jobs.tasks.declarations.spec import Given, InputKind, TaskSpec

log = logging.getLogger(__name__)

One = TypeVar("One")

#: The word for all rows that are not in another input.
REST = "rest"

_MISSING = {
    InputKind.MICROGRAPHS: "no micrographs; give some with {}",
    InputKind.LABELS: "no labels; give a few hundred picks with {}",
    InputKind.EXEMPLARS: "no exemplars; mark about 15 particles on one micrograph and give them "
    "with {}",
}


def inputs_of_today(
    task: TaskSpec, host: str, given: Mapping[str, Sequence[One]]
) -> dict[str, Sequence[One]]:
    """Return inputs by the names of today; for a name of before a line is logged.

    Raises
    ------
    ConfigError
        An input is given under both names.
    """
    found, names = dict(given), _names(task)
    for one in task.inputs:
        for old in one.was.get(host, ()):
            files = found.pop(old, ()) if old not in names else ()
            if not len(files):
                continue
            if len(found.get(one.name, ())):
                raise ConfigError(both_names(old, one.name))
            log.warning(told_of(old, one.name))
            found[one.name] = files
    return found


def _names(task: TaskSpec) -> set[str]:
    return {one.name for one in task.inputs}


def check_inputs(task: TaskSpec, given: Given, settings: Settings) -> None:
    """Check that the inputs a task needs are given, and only those that go together.

    Parameters
    ----------
    given
        By the input's name; an absent name and an empty list are the same.

    Raises
    ------
    InputError
        An input that the settings need is not given.
    ConfigError
        Inputs exclude each other, one is useless without another, or one has a name of before.
    """
    has = {name for name, value in given.items() if len(value)}
    for one in task.inputs:
        for old in {name for names in one.was.values() for name in names} - _names(task):
            if old in has:
                raise ConfigError(f"the input {old!r} of {task.name} is called {one.name!r} now")
    for one in task.inputs:
        if one.needed(settings) and one.name not in has:
            raise InputError(_MISSING[one.kind].format(option(one.mark)))
    if task.one_of:
        _check_alternatives(task, has)
    for one in task.inputs:
        if one.rest and one.rest not in has and tuple(given.get(one.name, ())) == (REST,):
            raise ConfigError(
                f"{option(one.name, REST)} means all that is not among the {one.rest}; give "
                f"{option(task.input(one.rest).mark)}"
            )


def is_rest(given: Given, name: str) -> bool:
    """Tell whether an input was given as the word ``rest``."""
    return tuple(str(one).strip() for one in given.get(name, ())) == (REST,)


def refuse_unused(task: TaskSpec, method: str, settings: Settings, chosen_by: str = "") -> None:
    """Refuse a setting that was given and that the method in force has no use for.

    Parameters
    ----------
    method
        The method in force, which ``auto`` has chosen too.
    chosen_by
        ``auto`` where it was not the user who named it.

    Raises
    ------
    ConfigError
        Naming the setting, the method and what has a use for it.
    """
    used = {one.name: one.options for one in task.methods}
    choosy = frozenset[str]().union(*used.values())
    for name in sorted(choosy - used[method]):
        if name not in settings.model_fields_set or getattr(settings, name) is None:
            continue
        others = [one.name for one in task.methods if name in one.options]
        why = task.no_use.get(name, "")
        raise ConfigError(
            f"{option(name)} has no use in {option('method', method)}"
            + (f", which {chosen_by} has chosen" if chosen_by else "")
            + (f": {why}" if why else "")
            + f"; leave it away, or give {' or '.join(option('method', one) for one in others)}"
        )


def _check_alternatives(task: TaskSpec, has: set[str]) -> None:
    """Require exactly one group, and all of it: its first member stands for the group."""
    heads = [group[0] for group in task.one_of if group[0] in has]
    if len(heads) != 1:
        groups = [
            option(group[0])
            + (f" with their {' and '.join(map(option, group[1:]))}" if group[1:] else "")
            for group in task.one_of
        ]
        raise ConfigError(
            f"give either {', or '.join(groups)}; not {'both' if heads else 'neither'}"
        )
    group = next(one for one in task.one_of if one[0] == heads[0])
    for other in group[1:]:
        if other not in has:
            raise ConfigError(f"{group[0]} need the {other} they lie on; give {option(other)}")
