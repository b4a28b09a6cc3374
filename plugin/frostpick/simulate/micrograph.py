"""One simulated micrograph, and a data set of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.camera.ctf import Ctf
from frostpick.simulate.exposure import expose
from frostpick.simulate.fold import random_protein
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.scene import random_scene
from frostpick.simulate.settings import SimulationSettings
from frostpick.simulate.truth import SimulatedTruth


@dataclass(frozen=True)
class SimulatedMicrograph:
    """A micrograph with all that is on it.

    Parameters
    ----------
    name
        ``sim_000`` and so on.
    image
        ``(ny, nx)`` float32, particles dark, mean about 10, standard deviation of the
        noise about 1.
    pixel_size_A, diameter_A
        Pixel size, and longest dimension of the particle, in Angstrom.
    truth
        Exact positions and orientations.
    mask
        ``(ny, nx)`` uint8: `frostpick.simulate.MASK_LABELS`.
    ctf, snr
        What it was made with; ``snr`` is the variance of a particle inside its circle
        over that of white and structural noise.
    outlines
        ``(n, 2)`` float64 by row of the truth: extent of the view as a share of the diameter, and
        hollowness (`frostpick.simulate.proteins.outline`); NaN where not known. None of data sets.
    extents
        Smallest and largest extent of the particle's own views, as shares of the diameter.
    """

    name: str
    image: NDArray[np.float32]
    pixel_size_A: float
    diameter_A: float
    truth: SimulatedTruth
    mask: NDArray[np.uint8]
    ctf: Ctf
    snr: float
    outlines: NDArray[np.float64] | None = None
    extents: tuple[float, float] = (0.0, 1.0)


def simulate_micrograph(
    protein: Protein, settings: SimulationSettings, index: int
) -> SimulatedMicrograph:
    """Make micrograph ``index`` (0-based); it depends on settings and index alone.

    Parameters
    ----------
    protein
        `random_protein` of the same settings, or one of your own.
    """
    rng = np.random.default_rng([settings.seed, 1 + index])
    ctf = Ctf(
        1e4 * rng.uniform(*settings.defocus_um),
        settings.voltage_kV,
        settings.spherical_aberration_mm,
        settings.amplitude_contrast,
        b_factor_A2=rng.uniform(100.0, 250.0),
    )
    low, high = settings.snr_range
    snr = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    scene = random_scene(rng, protein, settings, index)
    image, mask = expose(rng, scene, protein, settings, ctf, snr)
    return SimulatedMicrograph(
        name_of(index),
        image,
        settings.pixel_size_A,
        protein.diameter_A,
        scene.truth(),
        mask,
        ctf,
        snr,
    )


def simulate_dataset(settings: SimulationSettings) -> Iterator[SimulatedMicrograph]:
    """Make the micrographs of a data set, all of the same protein, one at a time."""
    protein = random_protein(settings)
    for index in range(settings.micrographs):
        yield simulate_micrograph(protein, settings, index)


def name_of(index: int) -> str:
    """Return the name of a micrograph of a data set, without a suffix."""
    return f"sim_{index:03d}"
