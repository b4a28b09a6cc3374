"""Write a file so that nobody ever sees half of it."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

NAME_MAX = 255
"""Bytes that a file's name may have on every common file system."""
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")


@contextmanager
def atomic_write(path: Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Open a temporary neighbour of ``path`` and rename it when the block ends well.

    The data is flushed to the disk before the rename; on any exception, stops
    included, the temporary file is removed and ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(_temporary_name(path.name))
    try:
        with open(temporary, mode, **options) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary_name(name: str) -> str:
    """Return a name for this process; that of a long one is cut, and told apart by its hash."""
    end = f".{os.getpid()}.tmp"
    raw = os.fsencode(name)
    if 1 + len(raw) + len(end) > NAME_MAX:
        mark = hashlib.sha256(raw).hexdigest()[:16]
        name = os.fsdecode(raw[: NAME_MAX - 2 - len(mark) - len(end)]) + "-" + mark
    return f".{name}{end}"


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, so that what they stand for may be removed.

    A file system that cannot flush a folder has no need to: it is not told apart.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def remove_leftovers(folder: Path, *, below: bool = True) -> None:
    """Remove the temporary files that a killed run left in ``folder`` and ``below`` it.

    Only for folders that no other process writes to.
    """
    for path in folder.rglob(".*.tmp") if below else folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)
