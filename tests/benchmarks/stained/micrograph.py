"""Particles in negative stain: light, in a film of heavy salt that rises around them.

What is projected is matter: the stain of a film of uneven depth, less what the particles take of
its room, and the particles. Contrast transfer of matter that absorbs much (amplitude contrast .15
to .35) comes after, and the grain of the carbon film and of the electrons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.spatial.transform import Rotation

from frostpick.simulate import Ctf
from frostpick.simulate.camera.ctf import filtered, frequencies_per_A

Float = NDArray[np.float64]

SIDE = 512
#: Scattering of dried uranyl salt over that of protein, of the same volume.
HEAVIER = 3.5
#: Cubic Angstrom of protein a unit of a bead's weight: 1.21 a dalton, and 13.6 a carbon of 12.
VOLUME_A3 = 1.21 * 12.0 / 13.6


@dataclass(frozen=True)
class Stain:
    """How particles were stained, and how many there are.

    Parameters
    ----------
    depth
        Of the film, in heights of the particle.
    uneven
        Standard deviation of the depth's logarithm, over some five diameters.
    rim
        How far the film is drawn up at a particle that it does not cover, 1 to the particle's top.
    rim_A
        How far from the particle it has fallen to 1/e.
    crystals
        Mean number of lumps of stain, as large as a particle or two.
    share
        Of the area of the micrograph that circles of one diameter around the particles take.
    snr
        Variance of what is around the particles over that of the noise.
    defocus_A
        Lowest and highest.
    grain
        Share of the noise's variance that is the carbon's, and has gone through the microscope.
    """

    depth: float = 0.8
    uneven: float = 0.15
    rim: float = 0.4
    rim_A: float = 25.0
    crystals: float = 0.3
    share: float = 0.2
    snr: float = 0.5
    defocus_A: tuple[float, float] = (5_000.0, 15_000.0)
    grain: float = 0.4


#: The first is how most grids look; the others each change one thing.
STAINS = {
    "even": Stain(),
    "shallow": Stain(depth=0.3),
    "deep": Stain(depth=1.5),
    "no rim": Stain(rim=0.0),
    "strong rims": Stain(depth=0.3, rim=1.0, rim_A=40.0),
    "stain at particles only": Stain(depth=0.1, rim=1.0, rim_A=50.0),
    "puddles": Stain(uneven=0.5),
    "lumps of stain": Stain(crystals=6.0),
    "few": Stain(share=0.03),
    "crowded": Stain(share=0.5),
    "noisy": Stain(snr=0.1),
    "far from focus": Stain(defocus_A=(20_000.0, 40_000.0)),
}


def stained(
    xyz_A: Float, weights: Float, diameter_A: float, pixel_A: float, how: Stain, seed: list[int]
) -> NDArray[np.float32]:
    """Make a micrograph of ``SIDE`` pixels, more matter darker.

    Parameters
    ----------
    xyz_A, weights
        ``(n, 3)``, ``(n,)`` beads of the particle, around the origin.
    """
    rng = np.random.default_rng(seed)
    diameter = diameter_A / pixel_A
    places = _places(rng, diameter, round(how.share * SIDE**2 / (np.pi / 4 * diameter**2)))
    protein = _projected(rng, xyz_A / pixel_A, weights, places) * VOLUME_A3 / pixel_A**2
    height = float(np.quantile(protein[protein > 0.0], 0.95))
    outline = protein > 0.1 * height
    away_A = ndimage.distance_transform_edt(~outline) * pixel_A
    film = how.depth * height * np.exp(how.uneven * _waves(rng, 5.0 * diameter))
    film += how.rim * np.maximum(height - film, 0.0) * np.exp(-away_A / how.rim_A)
    displaced = np.minimum(protein, film)
    matter = HEAVIER * (film - displaced) + protein
    matter += HEAVIER * 2.0 * height * _lumps(rng, diameter, rng.poisson(how.crystals))
    return _exposed(rng, matter, away_A < diameter_A / 4, pixel_A, how)


def _places(rng: np.random.Generator, diameter: float, count: int) -> Float:
    """Return up to ``count`` places ``(n, 2)``, most of them apart by .8 diameters and more."""
    found: list[Float] = []
    for at in rng.uniform(0.0, SIDE, (40 * count, 2)):
        if len(found) == count:
            break
        if all(np.hypot(*(at - other)) > 0.8 * diameter for other in found):
            found.append(at)
    return np.array(found).reshape(-1, 2)


def _projected(rng: np.random.Generator, xyz: Float, weights: Float, places: Float) -> Float:
    """Return the summed weights by pixel of particles at random orientations."""
    turned = Rotation.random(len(places), random_state=rng)
    image = np.zeros((SIDE, SIDE))
    for at, rotation in zip(places, turned, strict=True):
        cells = np.round(rotation.apply(xyz)[:, :2] + at).astype(int)
        inside = ((cells >= 0) & (cells < SIDE)).all(axis=1)
        np.add.at(image, tuple(cells[inside].T), weights[inside])
    return ndimage.gaussian_filter(image, 0.7)


def _waves(rng: np.random.Generator, length: float) -> Float:
    """Return a smooth random field of deviation 1, uneven over about ``length`` pixels."""
    field = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), length / 4, mode="wrap")
    return (field - field.mean()) / field.std()


def _lumps(rng: np.random.Generator, diameter: float, count: int) -> Float:
    """Return lumps of crystallised stain, 1 in their middle."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    image = np.zeros((SIDE, SIDE))
    for _ in range(count):
        (y, x), size = rng.uniform(0, SIDE, 2), rng.uniform(0.4, 1.0) * diameter
        image += np.hypot(rows - y, columns - x) < size
    return ndimage.gaussian_filter(image, 1.5)


def _exposed(
    rng: np.random.Generator,
    matter: Float,
    around: NDArray[np.bool_],
    pixel_A: float,
    how: Stain,
) -> NDArray[np.float32]:
    """Return the image of matter with noise as strong as is asked for."""
    ctf = Ctf(
        rng.uniform(*how.defocus_A),
        voltage_kV=120.0,
        amplitude_contrast=rng.uniform(0.15, 0.35),
        b_factor_A2=300.0,
    )
    transfer = ctf(frequencies_per_A(matter.shape, pixel_A))
    seen = filtered((matter - matter.mean()).astype(np.float32), transfer)
    noise = float(seen[around].std()) / np.sqrt(how.snr)
    grain = fft.irfft2(fft.rfft2(rng.normal(size=seen.shape)) * transfer, s=seen.shape)
    grain *= np.sqrt(how.grain) / grain.std()
    white = np.sqrt(1.0 - how.grain) * rng.normal(size=seen.shape)
    return np.asarray(seen + noise * (grain + white), np.float32)
