"""Whether particles are darker or lighter than the ice, from the images themselves.

Matter scatters: particles, carbon, crystals and dirt all lie on the same side of
the ice. The image is band-passed at the size of the particle and its third moment
taken; matter on ice makes the tail of its own side. The moments of all images
given are added, each divided by its own deviation cubed, so that one odd
micrograph cannot outvote the others; the sum decides. Equal sums mean dark.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from frostpick.errors import Wording, option

log = logging.getLogger(__name__)

#: Sides in diameters of the running means whose difference is the band: fine enough to
#: see the wall of a hollow particle, whose lumen is lighter than the mean of a crowd.
BAND = (0.25, 4.0)
#: Deviations at which a band-passed value is cut, so that one crystal is one vote.
CUT = 5.0
#: Largest vote of one image.
LIMIT = 0.5
#: Sum and mean of the votes against an assumed contrast from which on it is doubted. Of the
#: development sets the mean is .29 to .47 on the side of the particles; one micrograph of 84
#: votes .27 for the other side, so that a single one must say more than that.
DOUBTED_SUM, DOUBTED_MEAN = 0.3, 0.15
#: Fewest labels whose grey levels may contradict, and their mean over its standard error.
FEWEST_LABELS, CERTAIN = 5, 5.0


def contrast_vote(image: torch.Tensor, px_per_diameter: float) -> float:
    """Return one image's vote, negative for dark particles.

    Parameters
    ----------
    image
        ``(h, w)`` float32 working image with its own sign.
    px_per_diameter
        Its pixels a particle diameter.

    Returns
    -------
    float
        Skewness of the band-passed image, between ``-LIMIT`` and ``LIMIT``.
    """
    small = max(1, round(BAND[0] * px_per_diameter))
    large = max(small + 2, min(round(BAND[1] * px_per_diameter), min(image.shape) // 2))
    band = _box(image, small) - _box(image, large)
    centre = band.median()
    deviation = 1.4826 * (band - centre).abs().median()
    if not float(deviation) > 0:
        return 0.0
    scaled = ((band - centre) / deviation).clamp(-CUT, CUT).to(torch.float64)
    skewness = float((scaled**3).mean() / (scaled**2).mean() ** 1.5)
    return max(-LIMIT, min(LIMIT, skewness))


def decide_contrast(votes: Sequence[float]) -> Literal["dark", "light"]:
    """Return the contrast of a data set from the votes of some of its micrographs."""
    found: Literal["dark", "light"] = "dark" if sum(votes) <= 0 else "light"
    log.info(
        "contrast: %s particles (votes of %d micrographs: %s)",
        found,
        len(votes),
        told_votes(votes),
    )
    return found


def contradicts(
    votes: Sequence[float], assumed: Literal["dark", "light"], *, single: bool = True
) -> bool:
    """Return whether the votes of some images clearly say that an assumed contrast is wrong.

    Parameters
    ----------
    single
        A vote is that of one image; else the mean of many, which one odd image does not make.
    """
    against = np.asarray(votes, np.float64) * (1 if assumed == "dark" else -1)
    if not len(against) or against.mean() < DOUBTED_MEAN:
        return False
    return not single or bool(against.sum() >= DOUBTED_SUM)


def labels_contradict(lighter: Sequence[float]) -> bool:
    """Return whether labelled particles are clearly lighter than their surroundings.

    Parameters
    ----------
    lighter
        ``(n,)`` grey level on each label less that around it, where particles should be dark.
    """
    values = np.asarray(lighter, np.float64)
    if len(values) < FEWEST_LABELS:
        return False
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    return bool(values.mean() > CERTAIN * error)


def warn_of_contrast(assumed: Literal["dark", "light"], seen: str, why: str = "") -> None:
    """Tell that particles seem to be of the other sign than is assumed, and how to turn it.

    Parameters
    ----------
    assumed
        What was told, or is the default.
    seen
        What says so, for the message.
    why
        Why that is assumed, where the user did not say it.
    """
    other: Literal["dark", "light"] = "light" if assumed == "dark" else "dark"
    log.warning(
        "contrast: particles look %s (%s), and are taken for %s%s; if too few are found, give %s "
        "or %s",
        other,
        seen,
        assumed,
        why,
        Wording(option("contrast", other)),
        Wording(option("contrast", "auto")),
    )


def told_votes(votes: Sequence[float]) -> str:
    """Return votes for a message."""
    return ", ".join(f"{vote:+.2f}" for vote in votes)


def _box(image: torch.Tensor, side: int) -> torch.Tensor:
    """Return running means over about ``side`` pixels; at the edges over those there are."""
    side += 1 - side % 2
    for kernel in ((side, 1), (1, side)):
        half = (kernel[0] // 2, kernel[1] // 2)
        image = avg_pool2d(image[None, None], kernel, 1, half, count_include_pad=False)[0, 0]
    return image
