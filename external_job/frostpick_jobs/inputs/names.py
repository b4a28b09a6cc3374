"""Ids as file names: what may leave a trace below the output folder, and only there."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from frostpick.errors import InputError, option
from frostpick.runtime.atomic import NAME_MAX

STAR = ".star"


def check_id(micrograph_id: str) -> str:
    """Return the id; `InputError` when it cannot be a name below the output folder."""
    path = PurePosixPath(micrograph_id)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise InputError(
            f"micrograph {micrograph_id!r}: expected a path below the folder of "
            f"{option('micrographs')}"
        )
    if not micrograph_id.isprintable():
        raise InputError(
            f"micrograph {micrograph_id!r}: a sign in the name fits no table; rename the file"
        )
    longest = max(len(os.fsencode(part)) for part in path.parts)
    if longest + len(STAR) > NAME_MAX:
        raise InputError(
            f"micrograph {micrograph_id!r}: a name of {longest} bytes; expected at most "
            f"{NAME_MAX - len(STAR)}, since its picks are written under that name and {STAR}: "
            "rename the file, or give a link with a shorter name"
        )
    return micrograph_id


def star_path(folder: Path, micrograph_id: str) -> Path:
    """Return ``folder/<id>.star``, always inside ``folder``."""
    return folder / f"{check_id(micrograph_id)}{STAR}"
