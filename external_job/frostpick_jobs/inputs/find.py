"""Find the micrographs that folders, patterns, files and lists name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from frostpick.errors import InputError, option
from frostpick.images import IMAGE_SUFFIXES
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.inputs.lists import LIST_SUFFIXES, read_list
from frostpick_jobs.inputs.names import check_id


def find_micrographs(arguments: Sequence[str | Path], skip: Path | None = None) -> list[Micrograph]:
    """Return the micrographs, in the order of the arguments, sorted within each.

    Parameters
    ----------
    arguments
        Folders (searched with all below them), patterns, image files, and lists
        (``.star``, ``.txt``, ``.lst``).
    skip
        The job's own folder, which is not searched; None for no job.

    Returns
    -------
    list
        Ids are POSIX paths relative to the argument that found the file.

    Raises
    ------
    InputError
        An argument names nothing, or two micrographs have one id.
    """
    found = [m for argument in arguments for m in _find(os.fspath(argument), skip)]
    _check_distinct(found)
    return found


def _find(argument: str, skip: Path | None) -> list[Micrograph]:
    path = Path(argument)
    if path.is_dir():
        found = [_micrograph(p, path) for p in sorted(_images_below(path, skip))]
        return _some(
            found, f"{path}: no micrographs below this folder; expected files in {_kinds()}"
        )
    if path.is_file():
        if path.suffix.lower() in LIST_SUFFIXES:
            return _some(read_list(path), f"{path}: the list names no micrographs")
        if not is_image(path):
            raise InputError(
                f"{path}: neither a micrograph ({_kinds()}) nor a list (.star .txt .lst)"
            )
        return [_micrograph(path, path.parent)]
    if glob.has_magic(argument):
        base = _fixed_part(path)
        files = [Path(p) for p in glob.glob(argument, recursive=True)]
        images = sorted(p for p in files if p.is_file() and is_image(p))
        return _some([_micrograph(p, base) for p in images], f"{path}: no micrograph matches")
    raise InputError(f"{path}: no such file or folder")


def is_image(path: Path) -> bool:
    """Tell by the name whether a file is a micrograph; hidden files are none."""
    return path.name.lower().endswith(IMAGE_SUFFIXES) and not path.name.startswith(".")


def _images_below(folder: Path, skip: Path | None) -> Iterator[Path]:
    """Walk a folder, through links, but never twice into the same place."""
    own = None if skip is None else os.path.realpath(skip)
    if own == os.path.realpath(folder):
        own = None  # results beside the micrographs: nothing we write there is taken for one
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen or real == own:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (path for name in files if is_image(path := Path(root, name)))


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


def _check_distinct(micrographs: Sequence[Micrograph]) -> None:
    by_id: dict[str, str] = {}
    by_file: dict[str, str] = {}
    for micrograph in micrographs:
        source = micrograph.source
        where = os.path.abspath(source.path) if isinstance(source, LocalFile) else source.name
        if where in by_file:
            raise InputError(f"{where}: given twice; name it once with {option('micrographs')}")
        if micrograph.id in by_id:
            raise InputError(
                f"{by_id[micrograph.id]} and {where} both have the id {micrograph.id!r}; "
                f"give the folder that holds both with {option('micrographs')}"
            )
        by_id[micrograph.id] = by_file[where] = where


def _some(found: list[Micrograph], sentence: str) -> list[Micrograph]:
    if not found:
        raise InputError(sentence)
    return found


def _kinds() -> str:
    return " ".join(IMAGE_SUFFIXES)
