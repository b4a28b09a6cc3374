"""Tiles of micrographs whose particles are known, and the contrast that an encoder learns there.

A window says what one place looks like. A tile of 24 x 24 tokens costs as much as three
windows and has 256 places, a few of them particles and all others what else there is around
them; since tokens are shared, each has its descriptor for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize, softplus

from frostpick.models.cryomae.geometry import PITCH
from frostpick.models.cryomae.pooling import SIDE
from frostpick.training.cryomae.exemplars import cut, turned

Points = NDArray[np.float64]

#: Tokens along the side of a tile, and its half in working pixels, the centre left out.
TOKENS = 24
HALF = PITCH * TOKENS // 2
#: A place this near to a particle's centre, in working pixels, shows it (half the diagonal of
#: a cell is 2.83); one farther than that, three tenths of a diameter, does not.
ON, OFF = 2.9, 8.4
#: Marks of places that show no particle, and of those that count for nothing.
BACKGROUND, NEITHER = -1, -2


@dataclass(frozen=True)
class Tiles:
    """Tiles of one micrograph.

    Parameters
    ----------
    crops
        ``(t, 1, 97, 97)`` float32 working pixels.
    shows
        ``(t, 16, 16)`` int64: the number of the particle that a place shows, `BACKGROUND`
        or `NEITHER`.
    """

    crops: torch.Tensor
    shows: torch.Tensor


def cut_tiles(
    pixels: NDArray[np.float32],
    particles_yx: Points,
    centres_yx: Sequence[tuple[float, float]],
    rng: np.random.Generator,
) -> Tiles:
    """Cut tiles around places, each turned by a quarter and mirrored at random.

    Parameters
    ----------
    particles_yx
        ``(n, 2)`` all particles of the micrograph, in its pixels.
    """
    crops, shows = [], []
    for y, x in centres_yx:
        turn = int(rng.integers(8))
        crops.append(turned(cut(pixels, y, x, HALF), turn))
        shows.append(turned(_shown(pixels.shape, particles_yx, round(y), round(x)), turn)[PLACES])
    return Tiles(
        torch.from_numpy(np.stack(crops)[:, None].astype(np.float32)),
        torch.from_numpy(np.stack(shows).astype(np.int64)),
    )


#: Pixels of a tile that the places with all rings inside it are centred on.
_LINE = PITCH * np.arange(SIDE // 2, TOKENS - SIDE // 2) + PITCH // 2
PLACES = np.ix_(_LINE, _LINE)


def _shown(shape: tuple[int, ...], particles_yx: Points, y: int, x: int) -> NDArray[np.float32]:
    """Return what every pixel of the square around ``(y, x)`` shows, as `Tiles` has it."""
    reach = np.arange(-HALF, HALF + 1)
    rows, columns = (y + reach)[:, None], (x + reach)[None, :]
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    near = np.flatnonzero((np.abs(particles_yx - (y, x)) <= HALF + OFF).all(axis=1))
    if not len(near):
        return np.where(inside, BACKGROUND, NEITHER).astype(np.float32)
    away = np.hypot(
        rows[..., None] - particles_yx[near, 0], columns[..., None] - particles_yx[near, 1]
    )
    nearest, distance = near[away.argmin(-1)], away.min(-1)
    shows = np.where(distance <= ON, nearest, NEITHER)
    shows = np.where(distance >= OFF, BACKGROUND, shows)
    return np.where(inside, shows, NEITHER).astype(np.float32)


def contrast_loss(pooled: torch.Tensor, shows: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return how badly particles of one micrograph tell each other from all else on it.

    For each pair of particles the cross-entropy of finding the second among all background
    places by its cosine to the first, the supervised contrast of Khosla et al. (2020) with
    background as the only negatives. Descriptors are standardised by the background's mean and
    deviation first, as the few-shot training does. Zero without two particles.

    Parameters
    ----------
    pooled
        ``(n, size)`` ring means of places.
    shows
        ``(n,)``, see `Tiles`.
    """
    background = pooled[shows == BACKGROUND]
    particle, number = pooled[shows >= 0], shows[shows >= 0]
    other = number[:, None] != number[None, :]
    if len(background) < 2 or not other.any():
        return pooled.sum() * 0.0
    deviation, mean = torch.std_mean(background.detach(), dim=0)
    unit, off = (normalize((p - mean) / (deviation + 1e-3), dim=-1) for p in (particle, background))
    alike = unit @ unit.T / temperature
    against = torch.logsumexp(unit @ off.T / temperature, dim=1)
    return softplus(against[:, None] - alike)[other].mean()
