"""Micrographs without a particle, with the noise of a set: plain ice, and carbon all over."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accuracy.sets import BenchSet
from frostpick.simulate import Ctf, write_mrc
from frostpick.simulate.camera import noise

#: How many of each kind go among the test micrographs of a set.
EMPTY = 3
#: Of the noise laws of the development data: shares of structural noise, power of the red.
SHARE, RED_POWER = (0.35, 0.6), (0.7, 1.7)


def empty_micrograph(
    seed: list[int],
    shape: tuple[int, int],
    pixel_A: float,
    diameter_A: float,
    defocus_A: float,
    *,
    carbon: bool,
) -> NDArray[np.float32]:
    """Return noise of an ice or carbon film without anything on it.

    White noise, noise shaped by the CTF, and red noise of amplitude ``k^-1.2``, in the
    shares of the simulated sets. Ice has a gradient of thickness; carbon has none and 1.6
    to 2.2 times the structure, as at the carbon edges of `frostpick.simulate`.

    Parameters
    ----------
    shape
        Rows and columns.
    """
    rng = np.random.default_rng(seed)
    ctf = Ctf(defocus_A, 300.0, 2.7, 0.1, b_factor_A2=float(rng.uniform(100.0, 250.0)))
    share, power = rng.uniform(*SHARE), rng.uniform(*RED_POWER)
    structure = noise.structural(rng, shape, pixel_A, ctf) * np.float32(np.sqrt(share))
    image = noise.white(rng, shape) * np.float32(np.sqrt(1 - share))
    image += noise.red(rng, shape, pixel_A, diameter_A) * np.float32(np.sqrt(power))
    ice = noise.thickness(rng, shape) * np.float32(rng.uniform(0.2, 0.8))
    if carbon:
        return image + structure * np.float32(1 + rng.uniform(0.6, 1.2))
    return image - ice + structure * (1 + np.float32(0.3) * ice)


def write_empties(data: BenchSet, folder: Path) -> Path:
    """Put the test micrographs of a set and the empty ones into a folder.

    Names are ``blank_<k>`` and ``carbon_<k>``; each has the defocus of a test micrograph.
    """
    folder.mkdir(parents=True)
    for name in data.test.names:
        os.symlink((data.test.micrographs / f"{name}.mrc").resolve(), folder / f"{name}.mrc")
    defocus = sorted(data.test.defocus_A.values()) or [17_000.0]
    for number, kind in enumerate(("blank", "carbon")):
        for k in range(EMPTY):
            at = defocus[(2 * k + 1) * len(defocus) // (2 * EMPTY)]
            seed = [20261120, *data.name.encode(), number, k]
            image = empty_micrograph(
                seed, data.test.shape, data.pixel_A, data.diameter_A, at, carbon=kind == "carbon"
            )
            write_mrc(folder / f"{kind}_{k}.mrc", image + np.float32(10), data.pixel_A)
    return folder
