"""RELION's rule for where a micrograph's files go in a job folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePosixPath

from frostpick.errors import InputError
from frostpick.runtime.atomic import NAME_MAX
from frostpick_jobs.formats.star.relion_paths import relion_tail

SUFFIX = "autopick"


def coordinate_file(name: str) -> str:
    """Return the place of a micrograph's coordinates below the job folder."""
    return f"{relion_tail(name)}_{SUFFIX}.star"


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
        place = relion_tail(name)
        path = PurePosixPath(place)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise InputError(
                f"micrograph {name!r}: its path leaves the project folder; expected a path "
                "below it, import the data through a link in the project"
            )
        longest = max(map(len, map(os.fsencode, PurePosixPath(coordinate_file(name)).parts)))
        if longest > NAME_MAX:
            raise InputError(
                f"micrograph {name!r}: its coordinate file would have a name of {longest} bytes; "
                f"expected at most {NAME_MAX}: import it under a shorter name"
            )
        key = str(path)
        if key in owner:
            raise InputError(
                f"micrographs {owner[key]!r} and {name!r} share the name {key!r} in RELION, which "
                "keeps one set of coordinates and particles for both; pick them in two jobs"
            )
        owner[key] = name
