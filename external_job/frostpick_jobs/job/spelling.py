"""How a user of each host writes an option: the one place where messages get their words.

Messages name options by marks (`frostpick.errors.option`). A terminal has flags, also where
the command makes a job of CryoSPARC; an External job of RELION has labels, and fields for
its inputs.
"""

from __future__ import annotations

import copy
import logging

from frostpick.errors import Spell, flag, spelled, worded

#: What RELION passes of the fields of its External job, and what the field is called.
_PASSED = {
    "in_movies": "field 'Input movies'",
    "in_mics": "field 'Input micrographs'",
    "in_coords": "field 'Input coordinates'",
    "in_parts": "field 'Input particles'",
    "in_3dref": "field 'Input 3D reference'",
    "in_mask": "field 'Input 3D mask'",
}
#: Inputs of a task, by the text of the field.
_FIELDS = _PASSED | {
    "micrographs": "field 'Input micrographs'",
    "picks": "field 'Input coordinates'",
    "particles": "field 'Input particles'",
    "labels": "field 'Input coordinates' or 'Input particles'",
    "exemplars": "field 'Input coordinates' or 'Input particles'",
}
#: A label without a value is as if it was not given.
_SWITCHES = dict.fromkeys(
    ("restart", "allow_missing", "renew_threshold", "overwrite", "strict", "live"), "yes"
)
#: What CryoSPARC holds picks as.
_PARTICLES = ("picks",)


def in_relion(name: str, value: str = "") -> str:
    """Spell an option as RELION has it: a label, or the field of an input."""
    if name in _FIELDS:
        return _FIELDS[name]
    if name == "good":
        return "label 'labels'"
    if name == "threads":
        return "threads (label threads)"
    value = value or _SWITCHES.get(name, "")
    return f"label {name} = {value}" if value else f"label {name}"


def in_cryosparc(name: str, value: str = "") -> str:
    """Spell an option as ``frostpick cryosparc`` has it: a flag."""
    return flag("particles" if name in _PARTICLES else name, value)


_SPELLINGS: dict[str, Spell] = {"folder": flag, "relion": in_relion, "cryosparc": in_cryosparc}


def spelling(host: str) -> Spell:
    """Return the spelling of a host by its name, flags for one that has none of its own."""
    return _SPELLINGS.get(host, flag)


class SpelledFormatter(logging.Formatter):
    """Formats log records with options as a host spells them.

    Parameters
    ----------
    host
        Name of the host.
    """

    def __init__(self, host: str, fmt: str = "%(message)s", datefmt: str | None = None) -> None:
        super().__init__(fmt, datefmt)
        self._spell = spelling(host)

    def format(self, record: logging.LogRecord) -> str:
        """Format a copy: other handlers may spell the same record otherwise."""
        mine = copy.copy(record)
        mine.msg, mine.args = spelled(worded(record), self._spell), None
        return super().format(mine)
