"""What a case is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comparing.running import Run


@dataclass(frozen=True)
class Case:
    """A few commands in a folder of their own.

    Parameters
    ----------
    name
        Its name on the command line.
    act
        Runs the commands. It sees no other case's files.
    """

    name: str
    act: Callable[[Run], None]


def named(*acts: Callable[[Run], None]) -> list[Case]:
    """Return cases that are called as their functions."""
    return [Case(act.__name__.strip("_").replace("_", "-"), act) for act in acts]
