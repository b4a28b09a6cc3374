"""Do the picks fit the images better upside down? Programs disagree on the y axis."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from frostpick.errors import MicrographError, Wording, option
from frostpick.picking.read import fetch_and_decode
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)

#: Micrographs that are looked at.
MOST = 6
#: Standard errors by which the mirrored places must differ more from their surroundings.
CLEARLY = 4.0


@dataclass(frozen=True)
class MirrorTest:
    """How far the image at the picks, and at their mirror images, differs from the surroundings.

    Both in standard errors of the mean over the picks.
    """

    given: float
    mirrored: float
    picks: int

    @property
    def mirror_fits_better(self) -> bool:
        """The mirrored places stand out clearly, and the given ones less than half as much."""
        return abs(self.mirrored) > CLEARLY and abs(self.mirrored) > 2 * abs(self.given)


def warn_if_mirrored(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    diameter_A: float | None,
    *,
    flipped: bool,
) -> MirrorTest | None:
    """Log a warning when the labels fit the images better upside down; return the test.

    Parameters
    ----------
    diameter_A
        The particle's longest dimension; without one nothing is tested.
    flipped
        ``--flip-y`` is in force already.
    """
    if diameter_A is None:
        return None
    contrasts = [
        both
        for micrograph in [m for m in micrographs if len(labels.get(m.id, ())) > 0][:MOST]
        if (both := _contrasts(micrograph, labels[micrograph.id], diameter_A)) is not None
    ]
    if not contrasts:
        return None
    joined = np.concatenate(contrasts)
    found = MirrorTest(_significance(joined[:, 0]), _significance(joined[:, 1]), len(joined))
    if found.mirror_fits_better:
        log.warning(
            "the images stand out more at the mirror images of the picks (%.1f standard errors) "
            "than at the picks (%.1f, %d picks): are they upside down? %s",
            found.mirrored,
            found.given,
            found.picks,
            Wording(("leave out " if flipped else "if so, repeat with ") + option("flip_y")),
        )
    return found


def contrast_map(image: NDArray[np.float32], diameter_px: float) -> NDArray[np.float64]:
    """Return, for each pixel, the mean around it less the mean of its wider surroundings.

    Parameters
    ----------
    image
        ``(ny, nx)``.
    diameter_px
        Particle diameter: the inner square has half of it as its side, the outer one twice.
    """
    clipped = np.clip(image, *np.quantile(image, (0.001, 0.999))).astype(np.float64)
    inner = uniform_filter(clipped, max(1, round(diameter_px / 2)), mode="reflect")
    outer = uniform_filter(clipped, max(3, round(2 * diameter_px)), mode="reflect")
    return np.asarray((inner - outer) / (clipped.std() or 1.0))


def _contrasts(
    micrograph: Micrograph, labels: Labels, diameter_A: float
) -> NDArray[np.float64] | None:
    """Return ``(n, 2)`` contrasts at the labels and at their mirror images; None if unreadable."""
    try:
        image = fetch_and_decode(micrograph).data
    except MicrographError as error:
        log.debug("mirror test: %s", error)
        return None
    ny, nx = image.shape
    found = contrast_map(image, diameter_A / (micrograph.pixel_size_A or 1.0))
    x = np.clip(np.rint(labels.x_px).astype(np.int64), 0, nx - 1)
    y = np.clip(np.rint(labels.y_px).astype(np.int64), 0, ny - 1)
    return np.column_stack([found[y, x], found[ny - 1 - y, x]])


def _significance(values: NDArray[np.float64]) -> float:
    if len(values) < 2:
        return 0.0
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() / error) if error > 0 else 0.0
