"""The forms of the tasks, as ``forms.json`` holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Dict, List, Optional, Tuple, Union

#: What a field of a form holds; None is a number that was not given.
Value = Union[str, float, int, bool, None]


@dataclass(frozen=True)
class Option:
    """A field of a form.

    Parameters
    ----------
    name
        In the pipeliner's files.
    flag
        What the program calls it.
    type
        ``node``, ``switch``, ``choice``, ``integer``, ``number`` or ``text``.
    in_continue
        It may be changed in a job that goes on.
    least, most
        Limits of a number.
    node, keywords, files
        Of a node: its type, its keywords, and the name and the end of its files.
    required_if
        Field that makes this one needed.
    instead_of
        Field that this one replaces where it is filled in.
    yes
        What a switch that is on hands over.
    """

    name: str
    flag: str
    label: str
    help: str
    group: str
    type: str
    default: Value
    in_continue: bool
    choices: Tuple[str, ...] = ()
    least: Optional[float] = None
    most: Optional[float] = None
    node: str = ""
    keywords: Tuple[str, ...] = ()
    files: Tuple[str, ...] = ()
    required: bool = False
    required_if: str = ""
    instead_of: str = ""
    yes: str = "yes"


@dataclass(frozen=True)
class Output:
    """A file that a job leaves for other jobs.

    Parameters
    ----------
    file
        Below the job's folder.
    given
        Field without which there is no such file; empty where there always is one.
    only_if_written
        What the job finds out decides whether there is one.
    """

    file: str
    node: str
    keywords: Tuple[str, ...]
    given: str = ""
    only_if_written: bool = False


@dataclass(frozen=True)
class Exclusive:
    """Fields of which at most one is filled in, and one must be where ``needed``."""

    options: Tuple[str, ...]
    needed: bool


@dataclass(frozen=True)
class Form:
    """What a task asks for, leaves and cites; ``program`` is the name of its program."""

    title: str
    summary: str
    program: str
    options: Tuple[Option, ...]
    exclusive: Tuple[Exclusive, ...]
    outputs: Tuple[Output, ...]
    references: Tuple[Dict[str, Any], ...]

    def option(self, name: str) -> Option:
        """Return a field by its name; `KeyError` where there is none."""
        return {one.name: one for one in self.options}[name]


@cache
def _file() -> Dict[str, Any]:
    text = (files("frostpick_doppio") / "forms.json").read_text(encoding="utf-8")
    loaded: Dict[str, Any] = json.loads(text)
    return loaded


def version() -> str:
    """Return the version of frostpick whose forms these are."""
    return str(_file()["version"])


def tasks() -> List[str]:
    """Return the names of the tasks."""
    return list(_file()["tasks"])


def form_of(task: str) -> Form:
    """Return a task's form; `KeyError` for an unknown task."""
    told = dict(_file()["tasks"][task])
    told["options"] = tuple(Option(**_tuples(one)) for one in told["options"])
    told["exclusive"] = tuple(Exclusive(**_tuples(one)) for one in told["exclusive"])
    told["outputs"] = tuple(Output(**_tuples(one)) for one in told["outputs"])
    told["references"] = tuple(told["references"])
    return Form(**told)


def _tuples(fields: Dict[str, Any]) -> Dict[str, Any]:
    return {name: tuple(one) if isinstance(one, list) else one for name, one in fields.items()}
