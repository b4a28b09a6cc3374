"""Grey levels of a working image in standard deviations of its vitreous ice.

Carbon and gold are darker than ice and cover anything from none to most of a
micrograph; mean and deviation of all pixels would tell how much carbon there is.
So ice is found first, as a mode of the local means: averaged over a particle
diameter neither noise nor single particles make modes, but carbon does. The ice
is then described by median and median absolute deviation, which a few crystals
do not move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import torch
from torch.nn.functional import interpolate, max_pool2d

from frostpick.errors import ModelError
from frostpick.preprocess.gaussian_mixture import GaussianMixture, fit_gaussian_mixture
from frostpick.preprocess.order import lower_median

NAME = "ice-mode"
VERSION = 1
#: block: side of the local means in diameters; separation: distance of two modes, in
#: their standard deviations, from which on they are two; minority: smallest fraction of
#: the image that makes a mode; clip: standard deviations at which grey levels are cut.
DEFAULTS: Mapping[str, float] = MappingProxyType(
    {"block": 1.0, "separation": 3.0, "minority": 0.05, "clip": 6.0}
)
#: Normal deviations in a median absolute deviation.
MAD = 1.4826


class NormalisationSpec(Protocol):
    """Name, version and constants, as a model card's ``PreprocessSpec`` has them."""

    @property
    def name(self) -> str:
        """Name of the algorithm."""
        ...

    @property
    def version(self) -> int:
        """Version of the algorithm."""
        ...

    @property
    def constants(self) -> dict[str, float]:
        """Constants that differ from the defaults."""
        ...


def full_constants(spec: NormalisationSpec) -> dict[str, float]:
    """Return the constants of a spec with the defaults filled in.

    Raises
    ------
    ModelError
        The name, the version or a constant is not known here.
    """
    if (spec.name, spec.version) != (NAME, VERSION):
        raise ModelError(
            f"preprocessing {spec.name!r} version {spec.version} is unknown here, expected "
            f"{NAME!r} version {VERSION}; update frostpick"
        )
    unknown = set(spec.constants) - set(DEFAULTS)
    if unknown:
        raise ModelError(
            f"preprocessing {NAME!r} has no constant {', '.join(sorted(unknown))}; update frostpick"
        )
    return {**DEFAULTS, **spec.constants}


def normalise(
    image: torch.Tensor, px_per_diameter: float, constants: Mapping[str, float]
) -> torch.Tensor:
    """Standardise an image with dark particles to its ice.

    Parameters
    ----------
    image
        ``(h, w)`` float32, any grey scale, matter darker than ice.
    px_per_diameter
        Pixels of ``image`` a particle diameter.
    constants
        From `full_constants`.

    Returns
    -------
    Tensor
        ``(h, w)`` float32: ice at 0 with deviation 1, particles negative, cut at
        plus and minus ``clip``.

    Raises
    ------
    ValueError
        The image is constant or holds a value that is not a finite number.
    """
    low, high = (float(extreme) for extreme in torch.aminmax(image))
    if not math.isfinite(high - low):  # both pass NaN on
        raise ValueError("it holds values that are not finite numbers")
    mask = ice_mask(image, px_per_diameter, constants)
    ice = image if mask is None else image[mask]
    centre = lower_median(ice)
    deviation = MAD * lower_median((ice - centre).abs_())
    least = 1e-6 * max(1e-30, abs(low), abs(high))
    if not float(deviation) > least:
        deviation = image.std()
    if not float(deviation) > least:
        raise ValueError(f"it is constant (every pixel about {float(centre):.6g})")
    clip = constants["clip"]
    return (image - centre).div_(deviation).clamp_(-clip, clip)


def ice_mask(
    image: torch.Tensor, px_per_diameter: float, constants: Mapping[str, float]
) -> torch.Tensor | None:
    """Return where an image ``(h, w)`` shows ice: bool ``(h, w)``; None for all of it.

    Ice is the brighter of two modes, or everywhere; a brighter mode that covers less than
    the ``minority`` is not one, so a strip of vacuum is not taken for ice.
    """
    side = max(1, min(round(constants["block"] * px_per_diameter), *image.shape))
    stride = max(1, side // 4)
    # windows as views and one axis after the other: a tenth of avg_pool2d's time
    means = image.unfold(0, side, stride).mean(-1).unfold(1, side, stride).mean(-1)
    modes = fit_gaussian_mixture(means)
    if not are_two(modes, constants):
        return None
    dark = (means <= modes.boundary).to(torch.float32)[None, None]
    # A local mean that reaches over the edge of the carbon passes for ice: cut half a block.
    wider = max_pool2d(dark, 5, 1, 2)
    if float(wider.mean()) < 1 - constants["minority"] / 2:
        dark = wider
    mask: torch.Tensor = interpolate(dark, size=image.shape, mode="nearest")[0, 0] == 0
    return mask


def are_two(modes: GaussianMixture, constants: Mapping[str, float]) -> bool:
    """Tell whether two fitted modes are distinct and both large enough to matter."""
    distinct = modes.separation >= constants["separation"]
    return distinct and min(modes.weight_bright, 1 - modes.weight_bright) >= constants["minority"]
