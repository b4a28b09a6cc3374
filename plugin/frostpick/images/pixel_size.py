"""Which of three pixel sizes is believed."""

from __future__ import annotations

import logging
import math

from frostpick.errors import MicrographError, Wording, option
from frostpick.types import Micrograph

log = logging.getLogger(__name__)

#: Share of the shorter side from which on a particle is taken for one at a wrong scale (a
#: virus is a third of its micrographs at most), and the shares that are ordinary.
FILLED, PLAUSIBLE = 0.4, (0.02, 0.2)


class PixelSizes:
    """The pixel sizes of many micrographs; what they contradict is told once.

    Parameters
    ----------
    option_A
        The user's pixel size in Angstrom, for micrographs of which the host knows none.
    diameter_A
        Longest dimension of the particle, where it is known: a scale at which it would fill
        the micrograph is told.
    quiet
        Nothing is told: who reads the micrographs again tells it.
    """

    def __init__(
        self,
        option_A: float | None = None,
        diameter_A: float | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        self._option_A, self._diameter_A, self._quiet = option_A, diameter_A, quiet
        self._warned: set[tuple[float, float]] = set()
        self._filled: set[float] = set()

    def of(
        self,
        micrograph: Micrograph,
        header_A: float | None,
        shape: tuple[int, ...] | None = None,
    ) -> float:
        """Return the pixel size of a micrograph in Angstrom, by `resolve_pixel_size`.

        Parameters
        ----------
        shape
            Of the image, where it is read: rows and columns.
        """
        found = resolve_pixel_size(
            micrograph.id,
            micrograph.pixel_size_A,
            self._option_A,
            header_A,
            warned=self._warned,
            quiet=self._quiet,
        )
        if shape is not None and self._diameter_A is not None and not self._quiet:
            self._tell_if_filled(micrograph.id, found, self._diameter_A, min(shape[-2:]))
        return found

    def _tell_if_filled(self, name: str, pixel_A: float, diameter_A: float, side: int) -> None:
        pixels = diameter_A / pixel_A
        # a particle larger than the micrograph is refused where it is rescaled
        if not FILLED * side <= pixels <= side or round(pixel_A, 4) in self._filled:
            return
        self._filled.add(round(pixel_A, 4))
        least, most = (diameter_A / (share * side) for share in (PLAUSIBLE[1], PLAUSIBLE[0]))
        log.warning(
            "%s: at a pixel size of %.4g A a particle of %g A is %.0f of the %d pixels of the "
            "micrograph; %.3g to %.3g A would be plausible: check diameter, and give %s if the "
            "header has it in nm or for another binning",
            name,
            pixel_A,
            diameter_A,
            pixels,
            side,
            least,
            most,
            Wording(option("pixel_size")),
        )


def resolve_pixel_size(
    micrograph_id: str,
    host_A: float | None,
    option_A: float | None,
    header_A: float | None,
    *,
    warned: set[tuple[float, float]] | None = None,
    quiet: bool = False,
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
    quiet
        No warning is given.

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
        if not quiet and (warned is None or pair not in warned):
            log.warning(
                "%s: %s says %.4g A a pixel; %.4g A is used", micrograph_id, where, other, believed
            )
        if warned is not None:
            warned.add(pair)
    return float(believed)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0
