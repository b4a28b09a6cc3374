"""Differences that are meant; each is listed here with its reason, and printed at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from comparing.differences import Difference


@dataclass(frozen=True)
class Expected:
    """A difference that is known and wanted.

    Parameters
    ----------
    case
        Name of the case; a pattern.
    file
        Name within the case's folder; a pattern, ``*`` matches ``/`` too.
    reason
        Why a user is better off, or not worse, with it.
    """

    case: str
    file: str
    reason: str

    def covers(self, case: str, difference: Difference) -> bool:
        """Tell whether a difference is this one."""
        return fnmatch(case, self.case) and fnmatch(difference.file, self.file)


#: Empty where the earlier commit is the one that `run.py` takes by default.
EXCEPTIONS: tuple[Expected, ...] = ()


def unused(exceptions: Sequence[Expected], seen: set[Expected]) -> list[Expected]:
    """Return the exceptions that no difference needed."""
    return [one for one in exceptions if one not in seen]
