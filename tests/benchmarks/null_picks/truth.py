"""What the picks of a micrograph lie on: particles, junk, or background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from accuracy.sets import Split
from numpy.typing import NDArray
from scipy import ndimage

from frostpick.points import nearest_distance
from frostpick.types import Picks

#: A pick this near to a particle's centre lies on or beside it, in diameters: off centre
#: perhaps, and then false, but not of noise.
BESIDE = 0.5
#: So much wider than its mask junk is taken to be, in diameters.
RIM = 0.25


@dataclass(frozen=True)
class LiesOn:
    """Masks ``(n,)`` over picks: each is on one of the three."""

    particle: NDArray[np.bool_]
    junk: NDArray[np.bool_]
    background: NDArray[np.bool_]


def lies_on(picks: Picks, split: Split, diameter_px: float) -> LiesOn:
    """Tell what each pick of a micrograph of a split lies on.

    Particles that are cut by the border count as particles. Junk is what the mask marks, with a
    rim, and the truth's own objects that are none, such as fragments and free micelles.
    """
    name = picks.micrograph_id
    here = split.truth.on(name)
    yx = np.stack([picks.y_px, picks.x_px], axis=1)
    true = here.kind == "particle"
    places = np.stack([here.y_px, here.x_px], axis=1)
    reach = BESIDE * diameter_px
    particle = nearest_distance(yx, places[true]) <= reach
    junk = nearest_distance(yx, places[~true]) <= reach
    mask = split.mask(name)
    if mask is not None:
        rows, columns = (
            np.clip(np.round(one).astype(int), 0, side - 1)
            for one, side in zip(yx.T, mask.shape, strict=True)
        )
        away = ndimage.distance_transform_edt(mask == 0)
        junk |= away[rows, columns] <= RIM * diameter_px
    junk &= ~particle
    return LiesOn(particle, junk, ~particle & ~junk)
