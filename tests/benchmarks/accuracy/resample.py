"""The same micrographs at another pixel size, exactly: a Fourier crop or zero-pad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from accuracy.sets import Split
from frostpick.images import read_image
from frostpick.simulate import write_mrc


def fourier_resize(image: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the image on another grid of the same extent; sample (0, 0) stays where it is.

    Exact for everything below the lower of the two Nyquist frequencies; what lies on it or
    above is removed. Sides must be even.
    """
    (h, w), (rows, columns) = image.shape, shape
    if h % 2 or w % 2 or rows % 2 or columns % 2:
        raise ValueError(f"sides {image.shape} and {shape}, expected even ones")
    spectrum = scipy.fft.rfft2(image.astype(np.float64))
    kept = np.zeros((rows, columns // 2 + 1), np.complex128)
    y, x = min(h, rows) // 2, min(w, columns) // 2
    kept[:y, :x] = spectrum[:y, :x]
    kept[-y + 1 :, :x] = spectrum[-y + 1 :, :x]
    resized = scipy.fft.irfft2(kept, s=shape) * (rows * columns / (h * w))
    return np.asarray(resized, np.float32)


def resampled_split(split: Split, pixel_A: float, factor: float, folder: Path) -> Split:
    """Write a split at ``factor`` times its pixel size, and return it with its truth.

    Parameters
    ----------
    pixel_A
        Pixel size of the split in Angstrom.
    folder
        Gets ``micrographs/*.mrc``. There are no masks at the new size.
    """
    shape = (round(split.shape[0] / factor), round(split.shape[1] / factor))
    (folder / "micrographs").mkdir(parents=True)
    for name in split.names:
        image = read_image(split.micrographs / f"{name}.mrc", name).data
        path = folder / "micrographs" / f"{name}.mrc"
        write_mrc(path, fourier_resize(image, shape), pixel_A * factor)
    truth = replace(split.truth, x_px=split.truth.x_px / factor, y_px=split.truth.y_px / factor)
    return replace(split, folder=folder, shape=shape, truth=truth, masks=None)
