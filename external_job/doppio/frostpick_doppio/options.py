"""A form's fields as the pipeliner's job options."""

from __future__ import annotations

from typing import Any, Dict

from pipeliner.job_options import (
    BooleanJobOption,
    FileDescription,
    FloatJobOption,
    InputNodeJobOption,
    IntJobOption,
    JobOption,
    JobOptionCondition,
    MultipleChoiceJobOption,
    StringJobOption,
)

from frostpick_doppio.forms import Form, Option


def job_options(form: Form) -> Dict[str, JobOption]:
    """Return the job options of a form, in its order."""
    replaced_by = {one.instead_of: one.name for one in form.options if one.instead_of}
    return {one.name: _job_option(one, replaced_by.get(one.name, "")) for one in form.options}


def _job_option(one: Option, replaced_by: str) -> JobOption:
    common: Dict[str, Any] = {
        "label": one.label,
        "help_text": one.help,
        "in_continue": one.in_continue,
        "jobop_group": one.group,
        "is_required": one.required,
        "required_if": _filled(one.required_if),
        "deactivate_if": _filled(replaced_by),
        "default_value": one.default,
    }
    if one.type == "node":
        pattern = FileDescription(one.files[0], list(one.files[1:]))
        return InputNodeJobOption(
            node_type=one.node, node_kwds=list(one.keywords), pattern=pattern, **common
        )
    if one.type == "switch":
        # The pipeliner's switch always has a value.
        del common["is_required"], common["required_if"]
        return BooleanJobOption(**common)
    if one.type == "choice":
        # A choice that may stay open is a first choice without a word.
        choices = list(one.choices) if one.default else ["", *one.choices]
        return MultipleChoiceJobOption(choices=choices, **common)
    if one.type == "integer":
        limits = {"hard_min": _whole(one.least), "hard_max": _whole(one.most)}
        return IntJobOption(**common, **limits)
    if one.type == "number":
        return FloatJobOption(**common, hard_min=one.least, hard_max=one.most)
    return StringJobOption(**common)


def _filled(name: str) -> Any:
    return JobOptionCondition([(name, "!=", "")]) if name else None


def _whole(number: Any) -> Any:
    return None if number is None else int(number)
