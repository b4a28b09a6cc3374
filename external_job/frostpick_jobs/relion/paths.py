"""RELION's rule for where a micrograph's files go in a job folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from frostpick.errors import InputError

SUFFIX = "autopick"
_JOB_FOLDER = re.compile(r"(?:^|/)job\d{3,}/")


def tail(name: str) -> str:
    """Return a micrograph's path behind its ``jobNNN/`` folder, without the last extension.

    ``MotionCorr/job002/Movies/gridA/x.12.mrc`` -> ``Movies/gridA/x.12``; a name without
    a job folder is kept whole. RELION's ``decomposePipelineFileName``.
    """
    found = _JOB_FOLDER.search(name)
    behind = name[found.end() :] if found else name
    stem, dot, extension = behind.rpartition(".")
    return stem if dot and "/" not in extension else behind


def coordinate_file(name: str) -> str:
    """Return the place of a micrograph's coordinates below the job folder."""
    return f"{tail(name)}_{SUFFIX}.star"


def check_tails(names: Iterable[str]) -> None:
    """Refuse names that would leave the job folder or share one coordinate file.

    RELION's own Extract writes such twins over each other, so that there is no
    layout in which both could be kept.

    Raises
    ------
    InputError
        Naming the micrographs.
    """
    owner: dict[str, str] = {}
    for name in names:
        place = tail(name)
        path = PurePosixPath(place)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise InputError(
                f"micrograph {name!r}: its path leaves the project folder; expected a path below it, "
                "import the data through a link in the project"
            )
        key = str(path)
        if key in owner:
            raise InputError(
                f"micrographs {owner[key]!r} and {name!r} share the name {key!r} in RELION, which "
                "keeps one set of coordinates and particles for both; pick them in two jobs"
            )
        owner[key] = name
