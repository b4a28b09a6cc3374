"""Micrographs from a list: STAR, or one path a line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from frostpick.errors import InputError
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.folder.names import check_id
from frostpick_jobs.formats import read_micrographs_star

LIST_SUFFIXES = (".star", ".txt", ".lst")


def read_list(path: Path) -> list[Micrograph]:
    """Return the micrographs a list names, in its order.

    Ids are the names as the list spells them; where one is absolute or has
    ``..``, all are paths relative to the folder that holds every file. Relative
    names start at the working folder, at the list's folder or at one above it,
    whichever has the first file.

    Raises
    ------
    InputError
        The list cannot be read, or its first file is nowhere.
    """
    names, sizes = _star(path) if path.suffix.lower() == ".star" else _lines(path)
    if not names:
        return []
    base = _base(path, names[0])
    files = [base / name for name in names]
    return [
        Micrograph(check_id(one), LocalFile(file), pixel_size_A=size)
        for one, file, size in zip(_ids(names, files), files, sizes, strict=True)
    ]


def _star(path: Path) -> tuple[list[str], list[float | None]]:
    table = read_micrographs_star(path)
    return [row.name for row in table], [row.pixel_size_A for row in table]


def _lines(path: Path) -> tuple[list[str], list[float | None]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file; expected one micrograph path a line") from error
    names = [line.strip() for line in text.splitlines()]
    names = [name for name in names if name and not name.startswith("#")]
    return names, [None] * len(names)


def _base(path: Path, first: str) -> Path:
    folder = path.parent
    for base in (Path(), folder, *folder.parents, *folder.absolute().parents):
        if (base / first).is_file():
            return base
    raise InputError(
        f"{path}: names {first}, which is neither below the working folder nor below the list's; "
        "start from the folder that the names are relative to"
    )


def _ids(names: Sequence[str], files: Sequence[Path]) -> list[str]:
    pure = [PurePosixPath(name) for name in names]
    if not any(one.is_absolute() or ".." in one.parts for one in pure):
        return list(names)
    places = [os.path.abspath(file) for file in files]
    common = Path(os.path.commonpath([os.path.dirname(place) for place in places]))
    return [Path(place).relative_to(common).as_posix() for place in places]
