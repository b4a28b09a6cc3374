"""Fetch and decode one micrograph, and say which failures are the micrograph's own."""

from __future__ import annotations

import errno

from frostpick.errors import MicrographError
from frostpick.images import RawImage, read_image
from frostpick.types import Micrograph

#: Failures of the machine, not of one micrograph: they end the job.
_MACHINE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS}
)


def fetch_and_decode(micrograph: Micrograph) -> RawImage:
    """Return the pixels of a micrograph.

    Raises
    ------
    MicrographError
        The file cannot be had or decoded.
    OSError
        The disk is full or the machine is out of files or memory.
    """
    try:
        with micrograph.source.fetch() as path:
            return read_image(path, micrograph.id)
    except OSError as error:
        if error.errno in _MACHINE:
            raise
        raise MicrographError(
            micrograph.id, f"{micrograph.source.name} cannot be read ({error.strerror or error})"
        ) from error
