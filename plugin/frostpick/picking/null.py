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

import numpy as np
from numpy.typing import NDArray

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
        ``(k,)`` the same for every cell of the area where a pick may lie, rising.
    """

    micrograph_id: str
    picks: Floats
    decoys: Floats
    near_decoy: Floats
    near_cell: Floats

    @classmethod
    def of(
        cls,
        picks: Picks,
        decoys: Picks,
        shape: tuple[int, int],
        diameter_px: float,
        border: float = 0.0,
    ) -> NoiseSample:
        """Compare both picks of a micrograph.

        Parameters
        ----------
        picks, decoys
            All above the floor, of the micrograph and with its contrast inverted.
        shape
            Rows and columns of the micrograph.
        diameter_px
            The particle's diameter in pixels of the micrograph.
        border
            Distance from the edges within which nothing is picked, in diameters.
        """
        yx, other = (np.stack([one.y_px, one.x_px], axis=1) for one in (picks, decoys))
        near = np.full(len(decoys), -np.inf)
        for reach, least in ((REACH, -np.inf), (SAME_PLACE, DOUBTFUL)):
            strong = picks.score >= least
            score = picks.score[strong] if reach == REACH else np.full(strong.sum(), np.inf)
            decoy, pick, apart = pairs_within(other, yx[strong], reach * diameter_px)
            inside = np.hypot(*apart.T) < reach * diameter_px
            np.maximum.at(near, decoy[inside], score[pick[inside]])
        order = np.argsort(decoys.score, kind="stable")
        return cls(
            picks.micrograph_id,
            np.sort(picks.score),
            decoys.score[order],
            near[order],
            np.sort(_near_cells(yx, picks.score, shape, diameter_px, border)),
        )

    def at(self, cut: float) -> tuple[int, int, int, int]:
        """Return what there is at a cut.

        Returns
        -------
        picks, inverted, decoys, free : int
            Picks and decoys with at least this score; of the latter those that count; cells that
            are not within `REACH` of such a pick.
        """
        inverted = self.decoys >= cut
        return (
            len(self.picks) - int(np.searchsorted(self.picks, cut)),
            int(inverted.sum()),
            int((inverted & (self.near_decoy < cut)).sum()),
            int(np.searchsorted(self.near_cell, cut)),
        )


def _near_cells(
    yx: Floats, score: Floats, shape: tuple[int, int], diameter_px: float, border: float
) -> Floats:
    """Return the best score of a pick near every cell, as `NoiseSample.near_cell`, any order.

    One stamp of a disc for each pick, the best last; then the doubtful ones in the middle.
    """
    step, margin = CELL * diameter_px, max(border * diameter_px, 0.5)
    sides = [max(0.0, side - 2 * margin) for side in shape]
    count = [max(1, round(side / step)) for side in sides]
    # cells of one size for all micrographs, but for what is left at an edge
    steps = [side / n for side, n in zip(sides, count, strict=True)]
    near = np.full(count, -np.inf)
    order = np.argsort(score, kind="stable")
    stamps = [(k, REACH, score[k]) for k in order.tolist()]
    stamps += [(k, SAME_PLACE, np.inf) for k in order.tolist() if score[k] >= DOUBTFUL]
    for k, reach, value in stamps:
        low, apart = [], []
        for axis in (0, 1):
            if not steps[axis]:
                return np.zeros(0)
            # cell i has its centre at margin - 1/2 + (i + 1/2) step
            at = (yx[k, axis] + 0.5 - margin) / steps[axis] - 0.5
            wide = reach * diameter_px / steps[axis]
            first = max(0, int(np.ceil(at - wide)))
            cells = np.arange(first, min(count[axis], int(np.floor(at + wide)) + 1))
            low.append(first)
            apart.append((cells - at) * steps[axis])
        inside = np.hypot(apart[0][:, None], apart[1][None, :]) < reach * diameter_px
        part = near[low[0] : low[0] + inside.shape[0], low[1] : low[1] + inside.shape[1]]
        part[inside] = value
    return near.ravel()
