"""Names of things in CryoSPARC as they are typed: ``P3``, ``J10.exposures``, ``P2-J20``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from frostpick.errors import ConfigError

_JOB = re.compile(r"(?:(P\d+)[-.])?(J\d+)")
_OUTPUT = re.compile(r"(J\d+)\.([A-Za-z][0-9A-Za-z_]*)")


@dataclass(frozen=True)
class OutputRef:
    """An output of a job, ``J10.exposures``."""

    job: str
    output: str

    def __str__(self) -> str:
        return f"{self.job}.{self.output}"


@dataclass(frozen=True)
class JobRef:
    """A job, ``J20``, or of another project ``P2-J20``."""

    project: str | None
    job: str

    def __str__(self) -> str:
        return self.job if self.project is None else f"{self.project}-{self.job}"


def parse_output(text: str, option: str) -> OutputRef:
    """Return the output that a text names.

    Raises
    ------
    ConfigError
        The text is not of the form ``J10.exposures``.
    """
    found = _OUTPUT.fullmatch(text.strip())
    if found is None:
        raise ConfigError(
            f"{option} {text!r}: expected a job and one of its outputs, such as J10.exposures"
        )
    return OutputRef(found[1], found[2])


def parse_job(text: str) -> JobRef | None:
    """Return the job that a text names, None for any other text (a folder is ``./J20``)."""
    found = _JOB.fullmatch(text.strip())
    return None if found is None else JobRef(found[1], found[2])


def check_uid(text: str, letter: str, option: str) -> str:
    """Return ``P3``, ``W1`` or ``J31``; `ConfigError` for anything else."""
    if re.fullmatch(rf"{letter}\d+", text.strip()) is None:
        raise ConfigError(f"{option} {text!r}: expected {letter} and a number, such as {letter}3")
    return text.strip()
