"""Find the micrographs that folders, patterns, files and lists name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from frostpick.errors import InputError, NoInputError, option
from frostpick.images import IMAGE_SUFFIXES
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.formats.foreign import refuse_other_formats
from frostpick_jobs.formats.walk import Unreadable, absent, at_home, folders_below, matching
from frostpick_jobs.inputs.lists import LIST_SUFFIXES, read_list
from frostpick_jobs.inputs.names import check_id


def find_micrographs(
    arguments: Sequence[str | Path], skip: Path | None = None, *, allow_missing: bool = False
) -> list[Micrograph]:
    """Return the micrographs, in the order of the arguments, sorted within each.

    Parameters
    ----------
    arguments
        Folders (searched with all below them), patterns, image files, and lists
        (``.star``, ``.txt``, ``.lst``). ``~`` is the user's home folder.
    skip
        The job's own folder, which is not searched; None for no job.
    allow_missing
        Go on without folders that cannot be read, with a warning.

    Returns
    -------
    list
        Ids are POSIX paths relative to the argument that found the file.

    Raises
    ------
    InputError
        An argument names nothing, two micrographs have one id, or a folder cannot be read.
    """
    unreadable = Unreadable()
    paths = [os.fspath(argument) for argument in arguments]
    found = [(m, given) for given in paths for m in _find(given, skip, unreadable)]
    unreadable.tell(allow_missing)
    named = {given for _, given in found}
    for given in paths:
        if given not in named:
            raise NoInputError(_nothing(given))
    _check_distinct(found)
    return [m for m, _ in found]


def _find(given: str, skip: Path | None, unreadable: Unreadable) -> list[Micrograph]:
    argument = at_home(given)
    path = Path(argument)
    if os.path.isdir(path):
        return [_micrograph(p, path) for p in sorted(_images_below(path, skip, unreadable))]
    if os.path.isfile(path):
        if path.suffix.lower() in LIST_SUFFIXES:
            return read_list(path)
        if not is_image(path):
            refuse_other_formats(path)
            raise InputError(
                f"{path}: neither a micrograph ({_kinds()}) nor a list (.star .txt .lst)"
            )
        return [_micrograph(path, path.parent)]
    if glob.has_magic(argument):
        base = _fixed_part(path)
        return [_micrograph(p, base) for p in matching(argument, unreadable) if is_image(p)]
    raise InputError(f"{path}: {absent(path)}")


def _nothing(given: str) -> str:
    """Return the sentence for an argument without micrographs."""
    path = Path(at_home(given))
    if os.path.isdir(path):
        return f"{path}: no micrographs below this folder; expected files in {_kinds()}"
    if os.path.isfile(path):
        return f"{path}: the list names no micrographs"
    return f"{path}: no micrograph matches"


def is_image(path: Path) -> bool:
    """Tell by the name whether a file is a micrograph; hidden files are none."""
    return path.name.lower().endswith(IMAGE_SUFFIXES) and not path.name.startswith(".")


def _images_below(folder: Path, skip: Path | None, unreadable: Unreadable) -> Iterator[Path]:
    """Give the images of a folder and of all below it."""
    if skip is not None and os.path.realpath(skip) == os.path.realpath(folder):
        skip = None  # results beside the micrographs: nothing we write there is taken for one
    for place, files in folders_below(folder, unreadable, skip):
        yield from (path for name in files if is_image(path := place / name))


def _micrograph(path: Path, base: Path) -> Micrograph:
    return Micrograph(check_id(path.relative_to(base).as_posix()), LocalFile(path))


def _fixed_part(pattern: Path) -> Path:
    """Return the leading part of a pattern that has no wildcard."""
    parts: list[str] = []
    for part in pattern.parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


def _check_distinct(micrographs: Sequence[tuple[Micrograph, str]]) -> None:
    by_id: dict[str, str] = {}
    by_file: dict[str, str] = {}
    for micrograph, given in micrographs:
        source = micrograph.source
        where = os.path.abspath(source.path) if isinstance(source, LocalFile) else source.name
        if where in by_file:
            raise InputError(
                f"{where}: given twice, by {by_file[where]!r} and by {given!r}; name it once with "
                f"{option('micrographs')}"
            )
        if micrograph.id in by_id:
            raise InputError(
                f"{by_id[micrograph.id]} and {where} both have the id {micrograph.id!r}; "
                f"give the folder that holds both with {option('micrographs')}"
            )
        by_id[micrograph.id] = where
        by_file[where] = given


def _kinds() -> str:
    return " ".join(IMAGE_SUFFIXES)
