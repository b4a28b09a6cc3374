"""Room, inodes, rights and file locks of the folders that jobs write to."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from frostpick_jobs.commands.doctor.finding import Finding, do, note, ok
from frostpick_jobs.hosts.cryosparc.spool import usual_base

#: Less room than this, in bytes and in files, ends the next larger job.
LEAST_BYTES, LEAST_FILES = 1 << 30, 10_000


def look_at_disks(out: Path | None) -> Iterator[Finding]:
    """Look at the output, the spool of CryoSPARC's jobs and the temporary folder."""
    places = {} if out is None else {"output": out}
    places["spool of CryoSPARC jobs"] = usual_base()
    try:
        places["temporary folder"] = Path(tempfile.gettempdir())
    except OSError:
        yield do("no temporary folder can be written; free room in /tmp, or set TMPDIR")
    for name, path in places.items():
        yield from look_at_place(name, path)


def look_at_place(name: str, path: Path) -> Iterator[Finding]:
    """Look at one folder, or at what is above it where it is not there yet."""
    path = path.absolute()
    place = next(one for one in (path, *path.parents) if one.exists())
    here = f"{name}, {place}"
    try:
        disk = os.statvfs(place)
    except OSError as error:
        yield do(f"{here}: cannot be looked at: {error.strerror}")
        return
    free, files = disk.f_bavail * disk.f_frsize, disk.f_favail
    text = f"{here}: {free / 1e9:.1f} GB free"
    if disk.f_files:  # 0 where a file system does not count
        text += f", {files:,} more files"
    few = bool(disk.f_files) and files < LEAST_FILES
    yield do(f"{text}: too little; delete or move files") if free < LEAST_BYTES or few else ok(text)
    yield from _try_to_write(here, place)


def _try_to_write(here: str, place: Path) -> Iterator[Finding]:
    try:
        with tempfile.TemporaryFile(dir=place) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            yield do(f"{here}: no right to write; give another folder, or have the right given")
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            yield do(f"{here}: the quota is used up; delete or move files")
        else:
            yield note(f"{here}: no file locks ({error.strerror}); start no job twice there")
