"""How many picks are likely noise, told by the same micrographs with their contrast inverted.

Noise looks the same with dark and light exchanged, particles do not: a picker that takes noise
for particles does so with inverted contrast, too. So the working image is inverted after its own
normalisation and scored once more, with the scores, the suppression and the cut of the
micrograph itself; each pick there, a decoy, stands for one of noise (target and decoy: Elias and
Gygi, Nat. Methods 4, 207, 2007).

Only noise is counted. Carbon, ice crystals and other proteins are as dark as particles are, and
have no counterpart: the number is a lower bound on the false picks. What breaks the symmetry the
other way is the bright ring of a particle far from focus, which is dark with inverted contrast;
so decoys at particles do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from frostpick.models.picking_model import PickingModel
from frostpick.points import pairs_within
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.types import Picks

Floats = NDArray[np.float64]
#: Decoys nearer than this to a pick do not count, in diameters.
REACH = 1.0
#: Nor do those on a place that is a pick with at least this score (a probability of .03): of the
#: end-on views of a rod that were missed so, each was a decoy, by its bright ring.
DOUBTFUL, SAME_PLACE = -3.5, 0.25
#: Side of the cells by which area is counted, in diameters.
CELL = 0.125
#: How far the middle of a cell may lie outside a disc, in cells, where sides are no whole cells.
RIM = 0.05
#: The network that is not learned.
FIXED_FILTER = "dog"
#: Micrographs that are picked with inverted contrast: one in `ONE_IN`, at least and at most these.
ONE_IN, LEAST, MOST = 20, 8, 24


def looked_at_for_noise(model: PickingModel, micrograph_ids: Sequence[str]) -> frozenset[str]:
    """Return the micrographs of a job that are picked with inverted contrast, too.

    It costs one more pass of the network for each of them: a twentieth of the job, or of 24
    micrographs, or of 8, and of all where there are no more. None for the ``density-cut``, whose
    cut is each image's own, so that there is none that both have; and none for a fixed filter,
    which has learned nothing of particles: it is as sure of the gaps between them.
    """
    if model.card.selector == "density-cut" or model.card.network.name == FIXED_FILTER:
        return frozenset()
    number = min(MOST, max(LEAST, len(micrograph_ids) // ONE_IN))
    return frozenset(evenly_spread(micrograph_ids, number))


class Counts(NamedTuple):
    """What a micrograph has at a cut, or several together.

    Parameters
    ----------
    picks, inverted
        Picks and decoys with at least the score of the cut.
    decoys
        Those decoys that count.
    area, free
        Cells where a pick of background could lie, and those of them where a decoy counts.
    """

    picks: int = 0
    inverted: int = 0
    decoys: int = 0
    area: int = 0
    free: int = 0

    def and_(self, other: Counts) -> Counts:
        """Return the sums of two."""
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def expected(self) -> float:
        """V, the expected picks of background (`frostpick.picking.noise.expected_noise`)."""
        return self.area / self.free * (1 + self.decoys) if self.free else float("nan")


@dataclass(frozen=True)
class NoiseSample:
    """Picks and decoys of one micrograph, as far as they are needed at any cut.

    Parameters
    ----------
    micrograph_id
        Of `frostpick.types.Micrograph`.
    picks, decoys
        ``(n,)``, ``(m,)`` float64 scores of all picks and of all decoys, rising.
    near_decoy
        ``(m,)`` the best score of a pick within `REACH` of each decoy; -inf where there is
        none, inf on a doubtful pick.
    near_cell
        ``(k,)`` the same for every cell of the area where picks may lie, rising.
    in_cell
        ``(k,)`` the best score of a pick within the smallest distance between two picks of every
        cell, rising: no other can be there.
    """

    micrograph_id: str
    picks: Floats
    decoys: Floats
    near_decoy: Floats
    near_cell: Floats
    in_cell: Floats

    @classmethod
    def of(
        cls,
        picks: Picks,
        decoys: Picks,
        shape: tuple[int, int],
        diameter_px: float,
        min_distance_px: float,
        border: float = 0.0,
    ) -> NoiseSample:
        """Compare both picks of a micrograph.

        Parameters
        ----------
        picks, decoys
            All above the floor, of the micrograph and with its contrast inverted.
        shape
            Rows and columns of the micrograph.
        diameter_px, min_distance_px
            The particle's diameter, and the smallest distance between two picks, in pixels of
            the micrograph.
        border
            Distance from the edges within which nothing is picked, in diameters.
        """
        yx, other = (np.stack([one.y_px, one.x_px], axis=1) for one in (picks, decoys))
        doubtful = yx[picks.score >= DOUBTFUL]
        never = doubtful, np.full(len(doubtful), np.inf), SAME_PLACE * diameter_px
        # places, scores and reach of what shuts out a decoy
        shut = [(yx, picks.score, REACH * diameter_px), never]
        near = np.full(len(decoys), -np.inf)
        for places, score, reach in shut:
            decoy, pick, apart = pairs_within(other, places, reach)
            inside = np.hypot(*apart.T) < reach
            np.maximum.at(near, decoy[inside], score[pick[inside]])
        rising = np.argsort(decoys.score, kind="stable")
        grid = CELL * diameter_px, max(border * diameter_px, 0.5)
        return cls(
            picks.micrograph_id,
            np.sort(picks.score),
            decoys.score[rising],
            near[rising],
            _spread(shape, *grid, shut),
            _spread(shape, *grid, [(yx, picks.score, min_distance_px)]),
        )

    def at(self, cut: float) -> Counts:
        """Return what there is at a cut."""
        inverted = self.decoys >= cut
        return Counts(
            len(self.picks) - int(np.searchsorted(self.picks, cut)),
            int(inverted.sum()),
            int((inverted & (self.near_decoy < cut)).sum()),
            int(np.searchsorted(self.in_cell, cut)),
            int(np.searchsorted(self.near_cell, cut)),
        )


def _spread(
    shape: tuple[int, int],
    step: float,
    margin: float,
    discs: Sequence[tuple[Floats, Floats, float]],
) -> Floats:
    """Return for every cell of an area the best score of a place within its radius, rising.

    Places count where the middle of their cell is: areas of many stay the same.

    Parameters
    ----------
    shape
        Rows and columns of the micrograph.
    step, margin
        About the side of a cell, and what is left out at the edges, in pixels.
    discs
        Places ``(n, 2)``, scores ``(n,)`` and one radius; -inf where no disc is.
    """
    sides = np.array(shape) - 2 * margin
    if not (sides > 0).all():
        return np.zeros(0)
    count = np.maximum(1, np.round(sides / step)).astype(int)
    cell, near = sides / count, np.full(count, -np.inf)
    for places, scores, radius in discs:
        at = np.clip(np.floor((places + 0.5 - margin) / cell), 0, count - 1).astype(int)
        one = np.full(count, -np.inf)
        np.maximum.at(one, (at[:, 0], at[:, 1]), scores)
        # with its rim it has as many cells as its area, give or take a few in a hundred
        wide = radius + RIM * min(cell.tolist())
        y, x = (np.arange(-int(wide / c), int(wide / c) + 1) * c for c in cell.tolist())
        disc = np.hypot(y[:, None], x[None, :]) <= wide
        spread = maximum_filter(one, footprint=disc, mode="constant", cval=-np.inf)
        near = np.maximum(near, spread)
    return np.sort(near.ravel())
