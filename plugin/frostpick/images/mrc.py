"""The MRC2014 format, read strictly: sizes are checked against the bytes that are there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import IO

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from frostpick.images.byte_sign import histogram, sign_of
from frostpick.images.content import MAX_SIDE, ImageFileError, check_shape, credible_pixel_size
from frostpick.images.machine import read_values

HEADER_BYTES = 1024
_DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_REFUSED_MODES = {
    3: "complex 16-bit integers, a Fourier transform",
    4: "complex 32-bit floats, a Fourier transform",
    16: "RGB",
    101: "4-bit integers",
}
_IMOD_STAMP = 1146047817
_SWAPPED = {"<": ">", ">": "<"}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class MrcHeader:
    """The fields of an MRC header that decide how its one image is read.

    ``dtype`` carries the byte order of the file; ``offset`` counts bytes from the
    start of the file to the first pixel. ``extremes``, the header's minimum and maximum, is
    there only where the sign of the bytes is open (`settle_sign`).
    """

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    offset: int
    pixel_size_A: float | None
    extremes: tuple[float, float] | None = None

    @property
    def end(self) -> int:
        """Number of bytes from the start of the file to the end of the last pixel."""
        return self.offset + self.shape[0] * self.shape[1] * self.dtype.itemsize


def parse_header(raw: bytes) -> MrcHeader:
    """Decode the first 1024 bytes of an MRC file.

    Raises
    ------
    ImageFileError
        Not an MRC file, more than one image, complex or unknown mode, impossible size.
    """
    header, sections = parse_stack_header(raw)
    if sections != 1:
        what = "a stack or movie" if sections > 1 else "no image"
        raise ImageFileError(
            f"{sections} sections, {what}; expected 1: give motion-corrected micrographs"
        )
    return header


def parse_stack_header(raw: bytes) -> tuple[MrcHeader, int]:
    """Decode the header of a file of any number of sections; return that number as well.

    Raises
    ------
    ImageFileError
        As `parse_header`, but for the number of images.
    """
    if len(raw) < HEADER_BYTES:
        raise ImageFileError(
            f"{len(raw)} bytes; expected at least the {HEADER_BYTES} of an MRC header: "
            "the file is truncated or no image"
        )
    order = _byte_order(raw)
    fields = _fields(raw, order)
    nx, ny, nz, mode = (int(fields[name]) for name in ("nx", "ny", "nz", "mode"))
    if mode not in _DTYPES:
        what = _REFUSED_MODES.get(mode, "unknown")
        raise ImageFileError(
            f"MRC mode {mode} ({what}); expected 0, 1, 2, 6 or 12: convert it to mode 2"
        )
    check_shape(nx, ny)
    extended = int(fields["nsymbt"])
    if extended < 0:
        raise ImageFileError(
            f"an extended header of {extended} bytes; expected 0 or more: write the file again"
        )
    imod = _imod_unsigned(raw, order) if mode == 0 else False
    header = MrcHeader(
        (ny, nx),
        np.dtype(order + ("u1" if imod else _DTYPES[mode])),
        HEADER_BYTES + extended,
        _pixel_size(fields),
        (float(fields["dmin"]), float(fields["dmax"])) if imod is None else None,
    )
    return header, nz


def settle_sign(header: MrcHeader, values: NDArray[np.generic]) -> tuple[MrcHeader, str | None]:
    """Return the header with the sign of its bytes settled by pixels, and what to say about it.

    Parameters
    ----------
    values
        Pixels of the file, of any shape: all, or a fair part.
    """
    if header.extremes is None:
        return header, None
    sign = sign_of(histogram(values), header.extremes)
    settled = replace(header, dtype=np.dtype("u1" if sign.unsigned else "i1"), extremes=None)
    if sign.why is None:
        return settled, None
    read_as = "unsigned" if sign.unsigned else "signed"
    return settled, f"the bytes of its pixels (mode 0) are read as {read_as}: {sign.why}"


def read_plain(
    handle: IO[bytes], header: MrcHeader, size: int
) -> tuple[NDArray[np.float32], str | None]:
    """Read the pixels of an uncompressed file of ``size`` bytes, straight into the array.

    Returns the image, and what is to be said about the sign of its bytes or None.
    """
    check_size(header, size)
    handle.seek(header.offset)
    count = header.shape[0] * header.shape[1]
    values = read_values(handle, header.dtype, count)
    if values.size != count:  # the file shrank since its size was asked
        raise _truncated(header, header.offset + values.nbytes)
    return _native(values, header)


def read_stream(
    handle: IO[bytes], header: MrcHeader
) -> tuple[NDArray[np.float32], str | None, int]:
    """Read the pixels from a decompressing handle that stands behind the 1024-byte header.

    Returns as `read_plain`, and the length of the decompressed file. Reads to the end, so
    that the stream's own checksum is tested.
    """
    size = HEADER_BYTES + len(handle.read(header.offset - HEADER_BYTES))
    raw = handle.read(header.end - header.offset)
    size += len(raw)
    check_size(header, size)
    while block := handle.read(_CHUNK):
        size += len(block)
    return *_native(np.frombuffer(raw, header.dtype), header), size


def check_size(header: MrcHeader, size: int) -> None:
    """Raise `ImageFileError` when a file of ``size`` bytes cannot hold the pixels."""
    if size < header.end:
        raise _truncated(header, size)


def _truncated(header: MrcHeader, size: int) -> ImageFileError:
    ny, nx = header.shape
    return ImageFileError(
        f"{size} bytes; expected {header.end} for {nx} x {ny} pixels of {header.dtype.name}: "
        + why_short(header.offset, header.end, size)
    )


def why_short(offset: int, end: int, size: int) -> str:
    """Return why a file of ``size`` bytes does not reach to ``end``, and what to do.

    Parameters
    ----------
    offset
        Where the pixels are to start.
    """
    extended = offset - HEADER_BYTES
    if extended and size == end - extended:
        return (
            f"the header announces an extended header of {extended} bytes, by which the file is "
            "too short: it was not written; set NSYMBT of the header to 0 (mrcfile does), or "
            "write the file again"
        )
    return "the file is truncated, copy or write it again"


def _native(
    values: NDArray[np.generic], header: MrcHeader
) -> tuple[NDArray[np.float32], str | None]:
    if header.dtype == np.float16 and header.dtype.isnative:
        return _from_half(values).reshape(header.shape), None
    header, said = settle_sign(header, values)
    if values.dtype.itemsize == 1:
        values = values.view(header.dtype)
    # a buffer of bytes is read-only, which torch cannot take without a copy
    image = values.astype(np.float32, copy=not values.flags.writeable)
    return image.reshape(header.shape), said


def _from_half(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return float16 as float32, every value exactly, four times as fast as numpy does it."""
    import torch  # not before it is needed: whoever asks for headers only has no torch loaded

    image = np.empty(values.shape, np.float32)
    torch.from_numpy(image).copy_(torch.from_numpy(np.require(values, requirements="W")))
    return image


def _fields(raw: bytes, order: str) -> np.void:
    record: np.void = np.frombuffer(raw[:HEADER_BYTES], HEADER_DTYPE.newbyteorder(order))[0]
    return record


def _plausible(raw: bytes, order: str) -> bool:
    fields = _fields(raw, order)
    sizes = [int(fields[name]) for name in ("nx", "ny", "nz")]
    mode = int(fields["mode"])
    return (mode in _DTYPES or mode in _REFUSED_MODES) and all(0 <= n <= MAX_SIDE for n in sizes)


def _byte_order(raw: bytes) -> str:
    """Return ``<`` or ``>``: the machine stamp where it makes sense, else what makes sense.

    A side below 65536 read in the wrong order is 65536 or more, so only one order can fit.
    """
    stamp = {0x44: "<", 0x11: ">"}.get(raw[212])
    first = stamp or "<"
    for order in (first, _SWAPPED[first]):
        if _plausible(raw, order):
            return order
    if stamp is None and raw[208:211] != b"MAP":
        raise ImageFileError(
            f"neither an MRC nor a TIFF image, it starts with {raw[:8]!r}; "
            "expected a micrograph: check the path"
        )
    return first


def _pixel_size(fields: np.void) -> float | None:
    intervals = int(fields["mx"])
    return credible_pixel_size(float(fields["cella"]["x"]) / intervals) if intervals > 0 else None


def _imod_unsigned(raw: bytes, order: str) -> bool | None:
    """Tell IMOD's unsigned mode 0, flag bit 0 of word 40 unset; None without its stamp, word 39."""
    endian = "little" if order == "<" else "big"
    stamp = int.from_bytes(raw[152:156], endian)  # type: ignore[arg-type]
    flags = int.from_bytes(raw[156:160], endian)  # type: ignore[arg-type]
    return not flags & 1 if stamp == _IMOD_STAMP else None
