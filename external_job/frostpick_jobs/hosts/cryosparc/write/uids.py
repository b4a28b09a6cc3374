"""Uids of picks that are the same each time the same pick is written."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Uint = NDArray[np.uint64]

#: Positions are told apart to a thousandth of a pixel.
STEPS_PER_PIXEL = 1000.0


def job_seed(project: str, job: str) -> int:
    """Return 64 bits that stand for a job."""
    return int.from_bytes(blake2b(f"{project}-{job}".encode(), digest_size=8).digest(), "little")


def pick_uids(
    seed: int, exposure: int, x_px: NDArray[np.float64], y_px: NDArray[np.float64]
) -> Uint:
    """Return the uids of picks on one exposure, ``(n,)`` uint64, never 0.

    Parameters
    ----------
    seed
        `job_seed`: the same pick of two jobs is two particles.
    exposure
        Uid of the exposure.
    x_px, y_px
        Position in pixels of the image that was read.
    """
    x = np.rint(np.asarray(x_px) * STEPS_PER_PIXEL).astype(np.int64).view(np.uint64)
    y = np.rint(np.asarray(y_px) * STEPS_PER_PIXEL).astype(np.int64).view(np.uint64)
    mixed = _mix(np.full(len(x), seed, np.uint64) ^ np.uint64(exposure))
    mixed = _mix(mixed ^ x)
    mixed = _mix(mixed + y)
    return np.maximum(mixed, np.uint64(1))


def filament_uids(seed: int, exposure: int, filament: NDArray[np.int64]) -> Uint:
    """Return the uids of the filaments of one exposure that picks lie on, ``(n,)``, never 0.

    Parameters
    ----------
    seed, exposure
        As in `pick_uids`.
    filament
        ``(n,)`` number of the filament on its micrograph.
    """
    mixed = _mix(np.full(len(filament), seed, np.uint64) ^ np.uint64(exposure))
    return np.maximum(_mix(mixed ^ filament.astype(np.int64).view(np.uint64)), np.uint64(1))


def make_unique(uids: Uint) -> Uint:
    """Return the uids with every repeated one (two in 2e19) changed, the same way each time."""
    out = uids.copy()
    while True:
        _, first = np.unique(out, return_index=True)
        repeated = np.ones(len(out), np.bool_)
        repeated[first] = False
        if not repeated.any():
            return out
        out[repeated] = np.maximum(_mix(out[repeated] + np.uint64(1)), np.uint64(1))


def _mix(value: Uint) -> Uint:
    """Return splitmix64 of each number (Steele, Lea & Flood, OOPSLA 2014, the finaliser)."""
    z = value + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)), np.uint64)
