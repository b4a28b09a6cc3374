"""Decode one micrograph file: MRC (plain, gzip, bzip2) and TIFF, told apart by their bytes.

Pixel coordinates everywhere in frostpick are indices of the array that
`read_image` returns: x = column, y = row, 0-based pixel centres. For MRC that is
the array as stored in the file (what ``mrcfile`` gives). For TIFF the rows are
reversed, because RELION reverses them when it reads a TIFF (and never an MRC), so
that a pick made here names the same pixel in RELION's Extract. CryoSPARC does not reverse
them, nor does `read_image` where a micrograph of that host says so.
"""

from frostpick.images.content import ImageHeader, RawImage
from frostpick.images.machine import MACHINE_ERRORS, is_machine_error
from frostpick.images.pixel_size import PixelSizes, resolve_pixel_size
from frostpick.images.read import IMAGE_SUFFIXES, read_header, read_image

__all__ = [
    "IMAGE_SUFFIXES",
    "MACHINE_ERRORS",
    "ImageHeader",
    "PixelSizes",
    "RawImage",
    "is_machine_error",
    "read_header",
    "read_image",
    "resolve_pixel_size",
]
