"""Micrographs from a list: STAR, or one path a line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from frostpick.errors import InputError
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.formats import read_micrograph_list
from frostpick_jobs.formats.walk import base_of, in_project
from frostpick_jobs.inputs.names import check_id

LIST_SUFFIXES = (".star", ".txt", ".lst")


def read_list(path: Path) -> list[Micrograph]:
    """Return the micrographs a list names, in its order.

    Ids are the names as the list spells them; where one is absolute or has
    ``..``, all are paths relative to the folder that holds every file. Relative
    names start at the working folder, at the list's folder or at one above it,
    whichever has the first of the files that are there. A file that is missing is found
    out when it is read, and costs that micrograph alone.

    Raises
    ------
    InputError
        The list cannot be read, names a micrograph twice, or none of its files is there.
    """
    rows = read_micrograph_list(path)
    if not rows:
        return []
    names = [row.name for row in rows]
    _refuse_twice(path, names)
    base = _base(path, names)
    files = [base / in_project(name) for name in names]
    return [
        Micrograph(check_id(one), LocalFile(file), row.pixel_size_A, group=row.group)
        for one, file, row in zip(_ids(names, files), files, rows, strict=True)
    ]


def _refuse_twice(path: Path, names: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(names, 1):
        place = os.path.normpath(in_project(name))
        if first.setdefault(place, row) != row:
            raise InputError(
                f"{path}: names {name} twice, as micrographs {first[place]} and {row} of the list; "
                "leave one of them out"
            )


def _base(path: Path, names: Sequence[str]) -> Path:
    folder = path.parent
    bases = list(dict.fromkeys((Path(), folder, *folder.parents, *folder.absolute().parents)))
    base = base_of(names, bases)
    if base is not None:
        return base
    others = f", nor is any of the other {len(names) - 1} files" if len(names) > 1 else ""
    raise InputError(
        f"{path}: names {names[0]}, which is neither below the working folder nor below the "
        f"list's{others}; start from the folder that the names are relative to"
    )


def _ids(names: Sequence[str], files: Sequence[Path]) -> list[str]:
    pure = [PurePosixPath(in_project(name)) for name in names]
    if not any(one.is_absolute() or ".." in one.parts for one in pure):
        return list(names)
    places = [os.path.abspath(file) for file in files]
    common = Path(os.path.commonpath([os.path.dirname(place) for place in places]))
    return [Path(place).relative_to(common).as_posix() for place in places]
