"""Failures of the machine or of its disks, told from those of one file: they end a job."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS)
# A disk of the network that does not answer says so of every file.
_AWAY = (
    errno.ESTALE,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
)
MACHINE_ERRORS = frozenset((*_FULL, *_AWAY))
"""``errno`` of failures of the machine or its disks, whatever file it was."""

#: Where Linux tells what is mounted: device, folder, type and more, separated by blanks.
MOUNTED = Path("/proc/self/mounts")
#: Types of file systems whose disks are elsewhere; those by FUSE begin with ``fuse.``.
_NETWORK = frozenset(
    "nfs nfs4 cifs smb3 smbfs afs ceph lustre gpfs beegfs pvfs2 panfs wekafs 9p glusterfs "
    "fuse.sshfs fuse.glusterfs fuse.ceph fuse.s3fs fuse.rclone fuse.juicefs fuse.mfs".split()
)


def is_machine_error(error: BaseException) -> bool:
    """Tell whether the machine or a disk failed, not one file.

    An input or output error is that of a bad block, and costs one file, on a disk of this
    machine; of a disk of the network it is how a soft mount says that the server is away.
    It is told by the error's ``filename``, see `naming`.
    """
    if not isinstance(error, OSError):
        return False
    if error.errno == errno.EIO and isinstance(error.filename, (str, os.PathLike)):
        return is_on_network(Path(error.filename))
    return error.errno in MACHINE_ERRORS


def is_on_network(path: Path) -> bool:
    """Tell whether a file is on a disk of the network; False where that is not known."""
    try:
        lines = MOUNTED.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    real = Path(os.path.realpath(path))
    longest, kind = -1, ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        folder = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        # of two at one place the later one is seen
        if real.is_relative_to(folder) and len(folder.parts) >= longest:
            longest, kind = len(folder.parts), fields[2]
    return kind in _NETWORK


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in errors of reading from one that is open: the system does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def read_values(handle: IO[bytes], dtype: DTypeLike, count: int) -> NDArray[np.generic]:
    """Return the next values of a file, ``(count,)``, or fewer where it ends.

    Raises
    ------
    OSError
        The disk fails; `numpy.fromfile` alone takes that for the end of the file.
    """
    begin = handle.tell()
    values = np.fromfile(handle, dtype=dtype, count=count)
    if values.size != count:
        handle.seek(begin + values.nbytes)
        if len(handle.read(values.itemsize)) == values.itemsize:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
    return values
