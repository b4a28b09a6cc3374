"""From a filled-in form to the command line of frostpick's program for External jobs.

That program writes what RELION and the pipeliner read: coordinates where they look for them,
STAR files with paths from the project, ``autopick.star`` that stands for all, and the exit files.
"""

from __future__ import annotations

from typing import List, Mapping, Tuple

from frostpick_doppio.forms import Form, Option, Value


def words(form: Form, values: Mapping[str, Value], job: str) -> List[str]:
    """Return what follows the program's name: the job's folder and every field with another value.

    Parameters
    ----------
    values
        What the fields hold, by their names.
    job
        The job's folder as the pipeliner writes it, with its slash.
    """
    command = ["--o", job]
    replaced = {one.instead_of for one in form.options if one.instead_of and values[one.name]}
    for one in form.options:
        value = values[one.name]
        if one.name not in replaced and value not in (None, "") and value != one.default:
            command += [one.flag, _word(one, value)]
    return command


def _word(option: Option, value: Value) -> str:
    if option.type == "switch":
        return option.yes if value else "no"
    return str(value).strip()


def mistakes(form: Form, values: Mapping[str, Value]) -> List[Tuple[Option, str]]:
    """Return what does not go together in a filled-in form: a field, and a sentence on it."""
    found = []
    for group in form.exclusive:
        first = form.option(group.options[0])
        labels = [form.option(name).label for name in group.options]
        given = [form.option(name).label for name in group.options if values[name]]
        if len(given) > 1:
            found.append((first, f"Give only one of {_listed(given, 'and')}."))
        elif group.needed and not given:
            found.append((first, f"Give {_listed(labels, 'or')}."))
    for one in form.options:
        if one.instead_of and values[one.name]:
            other = form.option(one.instead_of)
            if values[other.name] != other.default:
                found.append((one, f"Give only one of {one.label} and {other.label}."))
    return found


def _listed(labels: List[str], word: str) -> str:
    return f" {word} ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
