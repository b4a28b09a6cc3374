"""One process at a time in a job's folder."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostpick.errors import FrostpickError

log = logging.getLogger(__name__)

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class JobRunningError(FrostpickError):
    """Another process works in the job's folder; the job there is not ours to end."""


@contextmanager
def job_lock(spool: Path) -> Iterator[None]:
    """Hold the lock of a spool for a ``with`` block.

    The kernel drops the lock with the process, so that a killed one never
    blocks the next. A file system without locks gets a warning.

    Raises
    ------
    JobRunningError
        Another process holds it.
    """
    spool.mkdir(parents=True, exist_ok=True)
    path = spool / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(handle, 64, 0).decode("ascii", "replace").strip() or "unknown"
            raise JobRunningError(
                f"{spool.parent}: another frostpick (process {owner}) is working in this folder; "
                "wait for it to end or give another output folder"
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise
            log.warning("%s: no file locks on this disk; do not start the job twice", spool)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()} on {os.uname().nodename}\n".encode("ascii", "replace"), 0)
        yield
    finally:
        os.close(handle)
