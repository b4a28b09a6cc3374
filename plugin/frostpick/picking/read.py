"""Fetch and decode one micrograph, and say which failures are the micrograph's own."""

from __future__ import annotations

from frostpick.errors import MicrographError
from frostpick.images import PixelSizes, RawImage, is_machine_error, read_image
from frostpick.types import Micrograph


def fetch_and_decode(micrograph: Micrograph) -> RawImage:
    """Return the pixels of a micrograph.

    Raises
    ------
    MicrographError
        The file cannot be had or decoded, or is not of the size that the host knows.
    OSError
        The machine or a disk failed, not this file.
    """
    try:
        with micrograph.source.fetch() as path:
            image = read_image(path, micrograph.id, reverse_tiff=micrograph.reverse_tiff)
    except OSError as error:
        if is_machine_error(error):
            raise
        raise MicrographError(
            micrograph.id, f"{micrograph.source.name} cannot be read ({error.strerror or error})"
        ) from error
    _check_size(image, micrograph)
    return image


def read_with_pixel_size(micrograph: Micrograph, sizes: PixelSizes) -> tuple[RawImage, float]:
    """Return the pixels of a micrograph and the pixel size in force in Angstrom.

    Raises
    ------
    MicrographError
        The file cannot be had or decoded, or nothing tells its pixel size.
    OSError
        As `fetch_and_decode`.
    """
    image = fetch_and_decode(micrograph)
    return image, sizes.of(micrograph, image.pixel_size_A, image.data.shape)


def _check_size(image: RawImage, micrograph: Micrograph) -> None:
    """Compare the image with what the host says, which its positions and pixel size are for."""
    ny, nx = image.data.shape
    if micrograph.shape is not None and micrograph.shape != (ny, nx):
        rows, columns = micrograph.shape
        raise MicrographError(
            micrograph.id,
            f"{micrograph.source.name} has {nx} x {ny} pixels; expected {columns} x {rows}, "
            "as its data set says: give the image that the data set was made for",
        )
