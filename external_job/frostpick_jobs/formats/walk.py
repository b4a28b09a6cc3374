"""Folders searched for input: what cannot be listed is told, never left out in silence."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from frostpick.errors import InputError, first_of, option

log = logging.getLogger(__name__)

#: The system's own folders at the top of a disk: no user may read them, and they hold no input.
_SYSTEM = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
_SHOWN = 3


class Unreadable:
    """Folders that could not be listed; `tell` them when the search is over."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def add(self, error: OSError) -> None:
        """Take the error of listing a folder; one that is gone by now is no error."""
        if not isinstance(error, FileNotFoundError):
            self._found.setdefault(str(error.filename), str(error.strerror or error))

    def tell(self, allow_missing: bool) -> None:
        """Name the folders.

        Raises
        ------
        InputError
            There are some, and ``allow_missing`` is not set.
        """
        if not self._found:
            return
        shown = [f"{folder} ({why})" for folder, why in self._found.items()]
        text = first_of(shown, _SHOWN)
        if not allow_missing:
            raise InputError(
                f"folders that cannot be read: {text}; what is in them would be missing. Ask for "
                f"the right to read them, or go on without them with {option('allow_missing')}"
            )
        log.warning("left out, since they cannot be read: %s", text)


def in_project(name: str) -> str:
    """Return a path without the ``>`` by which CryoSPARC marks it as relative to the project.

    Its exports have it in front of every path; converters of STAR files leave it there.
    """
    return name.removeprefix(">")


def base_of(names: Iterable[str], folders: Sequence[Path]) -> Path | None:
    """Return the folder that names are relative to; None where none of them is a file anywhere.

    That is the first that has the first name which is in any: single files may be gone.
    A ``>`` in front of a name is no part of it (`in_project`).
    """
    plain = map(in_project, names)
    return next((f for name in plain for f in folders if os.path.isfile(f / name)), None)


def at_home(argument: str) -> str:
    """Return a path with ``~`` in front as the user's home, which no shell does in quotes.

    A file or folder of that very name goes first.
    """
    return argument if os.path.lexists(argument) else os.path.expanduser(argument)


def absent(path: Path) -> str:
    """Return why a path is neither a file nor a folder, as a clause for a message."""
    try:
        path.stat()
    except FileNotFoundError:
        link = " (a link whose target is gone)" if path.is_symlink() else ""
        return f"no such file or folder{link}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return "a pipe, a socket or a device; expected a file or a folder"


def folders_below(
    folder: Path, unreadable: Unreadable, skip: Path | None = None
) -> Iterator[tuple[Path, list[str]]]:
    """Walk a folder, through links, but never twice into the same place.

    Parameters
    ----------
    unreadable
        Takes the folders that cannot be listed.
    skip
        A folder that is not searched; None for none.

    Yields
    ------
    tuple
        A folder and the names of the files in it; hidden folders are left out.
    """
    own = None if skip is None else os.path.realpath(skip)
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=unreadable.add):
        real = os.path.realpath(root)
        if real in seen or real == own:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in _SYSTEM)
        yield Path(root), files


def matching(pattern: str, unreadable: Unreadable) -> list[Path]:
    """Return what a pattern matches, but folders, sorted; ``**`` goes through all folders.

    ``glob`` itself passes over folders that it cannot list.
    """
    parts = Path(pattern).parts
    first = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    for n in range(first, len(parts)):
        places = [os.path.join(*parts[:first])] if first else [os.curdir]
        if n > first or parts[n] == "**":
            upto = parts[: n + 1] if parts[n] == "**" else parts[:n]
            places = glob.glob(os.path.join(*upto, ""), recursive=True)
        for place in places:
            _try(place, unreadable, listed=glob.has_magic(parts[n]))
    found = (Path(p) for p in glob.glob(pattern, recursive=True))
    return sorted(p for p in found if not os.path.isdir(p))


def _try(place: str, unreadable: Unreadable, *, listed: bool) -> None:
    """Find out whether a folder can be gone into, and listed where that is needed."""
    try:
        os.stat(os.path.join(place, os.curdir))
        if listed:
            with os.scandir(place):
                pass
    except NotADirectoryError:
        pass
    except OSError as error:
        error.filename = place.rstrip(os.sep) or place
        unreadable.add(error)
