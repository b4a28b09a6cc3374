"""What only the header of a micrograph tells: its shape, and often its pixel size."""

from __future__ import annotations

import logging
from dataclasses import replace

from frostpick.errors import MicrographError
from frostpick.images import PixelSizes, is_machine_error, read_header
from frostpick.types import Micrograph

log = logging.getLogger(__name__)


def with_header(micrograph: Micrograph, sizes: PixelSizes) -> Micrograph:
    """Return a micrograph with shape and pixel size, where host or header knows them.

    A micrograph that cannot be read comes back as it is: it fails, with its
    reason, where its pixels are needed.

    Parameters
    ----------
    sizes
        One for all micrographs of a job.

    Raises
    ------
    OSError
        The machine or a disk failed, not the file.
    """
    try:
        with micrograph.source.fetch() as path:
            header = read_header(path, micrograph.id)
    except (OSError, MicrographError) as error:
        if is_machine_error(error):
            raise
        log.warning("%s: the header cannot be read (%s)", micrograph.id, error)
        return micrograph
    try:
        size: float | None = sizes.of(micrograph, header.pixel_size_A)
    except MicrographError:
        size = None
    return replace(micrograph, shape=header.shape, pixel_size_A=size)
