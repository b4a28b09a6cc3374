"""What a form, a help text and a resume key need to know of a setting, beside its type.

Each field of a settings class is a command-line option of the same name (``_`` as ``-``), a
RELION parameter label, and a key of the YAML file; its description is the help text.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field
from pydantic.fields import FieldInfo

#: Sections of a form, in their order.
Group = Literal["Data", "Model", "Training", "Picking", "Pruning", "Running"]
GROUPS: tuple[str, ...] = typing.get_args(Group)
#: What a text names on a disk; the name of a model is a `ModelRef`.
PathKind = Literal["file", "folder"]

_KEY = "frostpick"


@dataclass(frozen=True)
class About:
    """What is known of a setting beside its type, its default and its help text.

    Parameters
    ----------
    group
        Section of a form.
    advanced
        Few users ever need it: shown last, or behind a switch.
    unit
        ``A``, ``diameters``, ``steps``; empty for a pure number or a word.
    path
        What the text names on a disk; None where it names nothing there, or a model.
    changes_results
        Another value gives other results, so that it belongs to the resume key.
    hidden
        Still taken, no longer shown: an option of before.
    was
        Its names of before, still taken until 2.0; resume keys have the first one for ever, so
        that a job of before goes on.
    was_times
        What a number under that name is multiplied by.
    unset
        What is taken where the default is that no value is given: ``estimated``.
    """

    group: Group
    advanced: bool = False
    unit: str = ""
    path: PathKind | None = None
    changes_results: bool = True
    hidden: bool = False
    was: tuple[str, ...] = ()
    was_times: int = 1
    unset: str = ""


def setting(
    default: Any,
    text: str,
    group: Group,
    *,
    advanced: bool = False,
    unit: str = "",
    path: PathKind | None = None,
    changes_results: bool = True,
    hidden: bool = False,
    was: str | tuple[str, ...] = (),
    was_times: int = 1,
    unset: str = "",
    **limits: Any,
) -> Any:
    """Return a pydantic field with what `About` holds.

    Parameters
    ----------
    default, text
        Default and help text.
    limits
        What `pydantic.Field` takes: ``gt``, ``ge``, ``le``.
    """
    names = (was,) if isinstance(was, str) else was
    told = About(group, advanced, unit, path, changes_results, hidden, names, was_times, unset)
    return Field(default, description=text, json_schema_extra={_KEY: told}, **limits)  # type: ignore[dict-item]


def about(info: FieldInfo) -> About:
    """Return what a field was declared with; `TypeError` for one declared without `setting`."""
    extra = info.json_schema_extra
    if not isinstance(extra, dict) or not isinstance(extra.get(_KEY), About):
        raise TypeError(f"a setting declared without setting(): {info.description}")
    return extra[_KEY]  # type: ignore[return-value]


def names_before(info: FieldInfo) -> tuple[str, ...]:
    """Return the names that a field had before; none for one declared without `setting`."""
    extra = info.json_schema_extra
    told = extra.get(_KEY) if isinstance(extra, dict) else None
    return told.was if isinstance(told, About) else ()


def values_of(info: FieldInfo) -> tuple[str, ...]:
    """Return the words that a field takes, in their order; none where it takes others."""
    return _literals(info.annotation)


def _literals(annotation: Any) -> tuple[str, ...]:
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return tuple(word for one in typing.get_args(annotation) for word in _literals(one))
    return ()
