"""What the doctor finds, one sentence each."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """How much a finding matters; the value is what is printed before it."""

    OK = "ok"
    #: Worth knowing, and nothing to do.
    NOTE = "note"
    #: Somebody has to do something.
    DO = "DO"


@dataclass(frozen=True)
class Finding:
    """One sentence, and how much it matters."""

    level: Level
    text: str

    def __str__(self) -> str:
        return f"{self.level.value:4}  {self.text}"


def ok(text: str) -> Finding:
    """Return what is as it should be."""
    return Finding(Level.OK, text)


def note(text: str) -> Finding:
    """Return what is worth knowing."""
    return Finding(Level.NOTE, text)


def do(text: str) -> Finding:
    """Return what somebody has to do something about."""
    return Finding(Level.DO, text)
