"""How one micrograph of the corpus was recorded: everything that is no object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frostpick.simulate.camera.ctf import Ctf
from frostpick.simulate.camera.motion import Motion, random_motion
from frostpick.simulate.draws import log_uniform

_SIDES = (576, 640, 640, 720, 720, 768)  # of the canvas: quick to transform


@dataclass(frozen=True)
class Conditions:
    """Optics, scale and noise of one micrograph.

    Parameters
    ----------
    canvas
        Rows and columns drawn, a margin included that is cut off at the end.
    diameter_px, pixel_size_A
        Longest dimension of the particle, and the pixel.
    ctf, astigmatism
        Mean contrast transfer, and by how much the defocus differs over the azimuth:
        ``defocus * (1 + astigmatism * cos 2(azimuth - axis))``, ``axis`` in radians.
    snr
        Variance of a lone particle in its circle over that of white and structural noise.
    structural
        Share of the structural noise in that variance.
    red_power, red_slope
        Power of the red noise at one cycle a diameter, over that of the other noise, and
        the slope of its amplitude.
    thickness, ripple
        Grey levels from thin to thick ice, over the micrograph and over a few diameters.
    shot
        Whether darker places have less white noise, as counted electrons have.
    blur
        Weight of each neighbour in a three-pixel smoothing of the whole image, 0 for none:
        camera, interpolation, low-pass filters of the user.
    hot_pixels, grey_levels
        Number of hot pixels; number of grey levels of an integer image, 0 for float.
    motion
        Movement of the specimen that was not corrected, or None.
    """

    canvas: tuple[int, int]
    diameter_px: float
    pixel_size_A: float
    ctf: Ctf
    astigmatism: float
    axis: float
    snr: float
    structural: float
    red_power: float
    red_slope: float
    thickness: float
    ripple: float
    shot: bool
    blur: float
    hot_pixels: int
    grey_levels: int
    motion: Motion | None = None

    @property
    def margin(self) -> int:
        """Width of the strip that is cut off on each side, in pixels."""
        return int(np.ceil(0.55 * self.diameter_px)) + 8

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the micrograph."""
        return (self.canvas[0] - 2 * self.margin, self.canvas[1] - 2 * self.margin)

    @property
    def window(self) -> tuple[slice, slice]:
        """The micrograph in the canvas."""
        return (slice(self.margin, -self.margin), slice(self.margin, -self.margin))

    @property
    def diameter_A(self) -> float:
        """Longest dimension of the particle in Angstrom."""
        return self.diameter_px * self.pixel_size_A


def random_conditions(rng: np.random.Generator) -> Conditions:
    """Draw the conditions of a micrograph, each on its own."""
    diameter_px = log_uniform(rng, 22.0, 56.0)
    pixel = float(np.clip(log_uniform(rng, 80.0, 350.0) / diameter_px, 1.8, 10.0))
    ctf = Ctf(
        1e4 * rng.uniform(0.5, 3.5) if rng.random() < 0.7 else 1e4 * rng.uniform(0.8, 2.4),
        200.0 if rng.random() < 0.3 else 300.0,
        0.01 if rng.random() < 0.1 else 2.7,
        rng.uniform(0.07, 0.1),
        b_factor_A2=rng.uniform(60.0, 350.0),
    )
    # real vitreous ice is as white below one cycle a diameter as above, or nearly so
    flat = rng.random() < 0.3
    # a third of the data is as clear as large, well kept particles are
    at_32_px = log_uniform(rng, 0.07, 0.7) if rng.random() < 0.67 else log_uniform(rng, 0.3, 2.5)
    return Conditions(
        canvas=(int(rng.choice(_SIDES)), int(rng.choice(_SIDES))),
        diameter_px=diameter_px,
        pixel_size_A=pixel,
        ctf=ctf,
        astigmatism=_astigmatism(rng),
        axis=rng.uniform(0, np.pi),
        # white noise spread over fewer pixels hides as much as that over more
        snr=at_32_px * (32.0 / diameter_px) ** 2,
        structural=rng.uniform(0.05, 0.65),
        red_power=_red_power(rng, flat=flat),
        red_slope=rng.triangular(0.6, 1.1, 2.0),
        thickness=_thickness(rng, flat=flat),
        ripple=_ripple(rng, flat=flat),
        shot=bool(rng.random() < 0.3),
        blur=0.0 if rng.random() < 0.5 else rng.uniform(0.02, 0.22),
        hot_pixels=int(rng.integers(3, 40)) if rng.random() < 0.04 else 0,
        grey_levels=int(rng.choice([40, 256])) if rng.random() < 0.07 else 0,
        motion=random_motion(rng, diameter_px),
    )


def _red_power(rng: np.random.Generator, *, flat: bool) -> float:
    if flat:
        return 0.0 if rng.random() < 0.3 else log_uniform(rng, 0.003, 0.1)
    return log_uniform(rng, 0.05, 3.0)


def _thickness(rng: np.random.Generator, *, flat: bool) -> float:
    if flat:
        return rng.uniform(0.0, 0.25)
    return rng.uniform(1.5, 5.0) if rng.random() < 0.14 else 0.9 * rng.random() ** 2


def _ripple(rng: np.random.Generator, *, flat: bool) -> float:
    if flat:
        return rng.uniform(0.0, 0.1)
    return rng.uniform(0.3, 1.0) if rng.random() < 0.2 else rng.uniform(0.0, 0.2)


def _astigmatism(rng: np.random.Generator) -> float:
    """Return the astigmatism of a microscope: little, some, or of one left as it was."""
    chance = rng.random()
    if chance < 0.8:
        return float(abs(rng.normal(0, 0.02)))
    return 0.1 if chance < 0.97 else float(rng.uniform(0.12, 0.35))
