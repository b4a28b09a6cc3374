"""Whether the bytes of MRC mode 0 are signed, as MRC2014 has it, or unsigned, as before it.

IMOD's stamp says so where it is (`frostpick.images.mrc`). Without it the header's extremes
decide where they fit one reading alone, else the pixels: the grey values of an image lie
together, so that a reading which tears them apart, one part to each end of its range, is the
wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 20
#: Values on each side of a cut that are looked at, the outermost left out: they are clipped.
_SIDE = 15
#: So many times more pixels, and so many at least, must lie at one cut than at the other.
_CLEAR, _FEW = 2.0, 10


@dataclass(frozen=True)
class ByteSign:
    """How bytes are read, and a clause on why where that is not a matter of course."""

    unsigned: bool
    why: str | None = None


def histogram(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return how often each byte occurs, ``(256,)``, by its unsigned value."""
    flat = values.reshape(-1).view(np.uint8)
    counts = np.zeros(256, np.int64)
    for start in range(0, len(flat), _CHUNK):
        counts += np.bincount(flat[start : start + _CHUNK], minlength=256)
    return counts


def sign_of(counts: NDArray[np.int64], stated: tuple[float, float]) -> ByteSign:
    """Tell how bytes are to be read.

    Parameters
    ----------
    counts
        ``(256,)`` from `histogram`, of all pixels or of a fair part.
    stated
        Minimum and maximum of the header, whatever stands there.
    """
    used = np.flatnonzero(counts)
    if not len(used) or used[-1] < 128:
        return ByteSign(unsigned=False)  # the same values either way
    as_signed = np.sort(np.where(used < 128, used, used - 256))
    low, high = stated
    fits = [
        -0.5 <= low < high <= 255.5 and low - 1 <= used[0] and used[-1] <= high + 1,
        -128.5 <= low < high <= 127.5 and low - 1 <= as_signed[0] and as_signed[-1] <= high + 1,
    ]
    if fits[0] and not fits[1]:
        return ByteSign(unsigned=True, why=f"the header's extremes are {low:g} and {high:g}")
    if fits[1] and not fits[0]:
        return ByteSign(unsigned=False)
    if used[0] >= 128:
        return ByteSign(unsigned=False)  # all values differ by 256 either way: no matter
    return _by_pixels(counts)


def _by_pixels(counts: NDArray[np.int64]) -> ByteSign:
    """Compare the cuts: 127 and -128 are the ends of signed bytes, 255 and 0 of unsigned ones.

    An image of which much lies on both sides of a cut is torn apart by it.
    """
    torn_signed = min(counts[127 - _SIDE : 127].sum(), counts[129 : 129 + _SIDE].sum())
    torn_unsigned = min(counts[255 - _SIDE : 255].sum(), counts[1 : 1 + _SIDE].sum())
    if torn_signed > _CLEAR * torn_unsigned + _FEW:
        return ByteSign(True, "read as signed they would lie at both ends of the range")
    if torn_unsigned >= _CLEAR * torn_signed or torn_signed <= _FEW:
        return ByteSign(unsigned=False)
    return ByteSign(False, "neither the header nor the pixels tell, and MRC2014 has them so")
