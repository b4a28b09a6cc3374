"""Which of three pixel sizes is believed."""

from __future__ import annotations

import logging
import math

from frostpick.errors import MicrographError, Wording, option
from frostpick.types import Micrograph

log = logging.getLogger(__name__)


class PixelSizes:
    """The pixel sizes of many micrographs; what they contradict is told once.

    Parameters
    ----------
    option_A
        The user's pixel size in Angstrom, for micrographs of which the host knows none.
    """

    def __init__(self, option_A: float | None = None) -> None:
        self._option_A = option_A
        self._warned: set[tuple[float, float]] = set()

    def of(self, micrograph: Micrograph, header_A: float | None) -> float:
        """Return the pixel size of a micrograph in Angstrom, by `resolve_pixel_size`."""
        return resolve_pixel_size(
            micrograph.id, micrograph.pixel_size_A, self._option_A, header_A, warned=self._warned
        )


def resolve_pixel_size(
    micrograph_id: str,
    host_A: float | None,
    option_A: float | None,
    header_A: float | None,
    *,
    warned: set[tuple[float, float]] | None = None,
) -> float:
    """Return the pixel size in Angstrom: the host's, else the option's, else the header's.

    Parameters
    ----------
    micrograph_id
        For messages.
    host_A, option_A, header_A
        Pixel sizes in Angstrom; None, or a value that is not positive, means not known.
    warned
        Pairs (believed, other) that a warning was given for; see `PixelSizes`.

    Raises
    ------
    MicrographError
        None of the three is known.
    """
    believed = next((v for v in (host_A, option_A, header_A) if _known(v)), None)
    if believed is None:
        raise MicrographError(
            micrograph_id,
            "no pixel size in the header, from the host or as an option; "
            f"expected one in Angstrom: give {option('pixel_size')}",
        )
    given = Wording(option("pixel_size"))
    for where, other in (("the header", header_A), (given, option_A)):
        if other is None or not _known(other) or abs(other / believed - 1) <= 0.01:
            continue
        pair = (round(believed, 4), round(other, 4))
        if warned is None or pair not in warned:
            log.warning(
                "%s: %s says %.4g A a pixel; %.4g A is used", micrograph_id, where, other, believed
            )
        if warned is not None:
            warned.add(pair)
    return float(believed)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0
