"""What judged picks say: precision at a cut with its interval, and the cut that keeps a promise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from frostpick.auditing.interval import share_bounds
from frostpick.auditing.strata import Strata, stratum_of
from frostpick.picking.threshold import Cut

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

#: Share of the cases in which an interval, and a bound alone, holds.
INTERVAL, BOUND = 0.95, 0.95
#: Of the ends of strata every so manieth is a cut to choose: with all of them the best of many
#: bounds, each wrong with 5 %, would be wrong more often.
EVERY = 3


@dataclass(frozen=True)
class Precision:
    """What judged picks say of the precision at a threshold.

    Parameters
    ----------
    threshold
        In score units.
    picks
        At or above it.
    judged
        Of these.
    precision
        NaN where none is judged.
    low, high
        The 95 % interval.
    bound
        The precision is above it in 95 % of the cases, by the lower end alone.
    """

    threshold: float
    picks: int
    judged: int
    precision: float
    low: float
    high: float
    bound: float


@dataclass(frozen=True)
class Judged:
    """Picks that were drawn from strata, and what a person said of them.

    Parameters
    ----------
    strata
        As `frostpick.auditing.strata.cut_strata` made them.
    stratum, score
        ``(m,)`` of the picks that were drawn.
    answer
        ``(m,)`` float64: 1 a particle, 0 none, NaN not judged.
    junk
        ``(m,)`` float64: of those that are none, 1 if something else is there, 0 if nothing is,
        NaN not said.
    """

    strata: Strata
    stratum: Index
    score: Floats
    answer: Floats
    junk: Floats

    @property
    def count(self) -> int:
        """How many are judged."""
        return int(np.isfinite(self.answer).sum())

    def at(self, threshold: float, scores: Floats) -> Precision:
        """Return the precision at any threshold.

        The estimator is the stratified one: a judged pick stands for the picks of its stratum
        at or above the threshold, over the number judged there. A stratum without a judged
        pick is counted with the nearest that has one (post-stratification). The interval is
        that of `share_bounds` for as many judgements of equal weight as these are worth
        (Kish); strata only make the true spread smaller than that of so many independent ones
        (Hoeffding, Annals of Mathematical Statistics 27, 1956). Nobody looked at the picks below
        the last stratum: they may all be particles, or none, and that much wider is the interval.

        Parameters
        ----------
        scores
            ``(n,)`` of all picks of the job.
        """
        counts = self._counts(threshold, scores)
        here = np.isfinite(self.answer) & (counts[self.stratum] > 0)
        found = self._estimate(threshold, counts, here)
        picks = Cut(threshold).count(scores)
        seen = found.picks / max(picks, 1)
        return replace(
            found,
            picks=picks,
            low=found.low * seen,
            high=found.high * seen + 1 - seen,
            bound=found.bound * seen,
        )

    def cuts(self, every: int = 1) -> list[Precision]:
        """Return the precision at the ends of the strata, from the strictest down."""
        found = []
        for last in range(every - 1, len(self.strata), every):
            counts = np.where(np.arange(len(self.strata)) <= last, self.strata.size, 0)
            here = np.isfinite(self.answer) & (self.stratum <= last)
            found.append(self._estimate(float(self.strata.least[last]), counts, here))
        return found

    def loosest(self, precision: float) -> Precision | None:
        """Return the loosest cut whose one-sided bound reaches a precision; None where none does.

        Every third end of a stratum is looked at.
        """
        good = [one for one in self.cuts(EVERY) if one.bound >= precision - 1e-12]
        return good[-1] if good else None

    def junk_share(self, threshold: float, scores: Floats) -> tuple[float, int]:
        """Return which share of the false picks at a threshold is junk, and of how many told."""
        counts = self._counts(threshold, scores)
        here = (self.answer == 0) & np.isfinite(self.junk) & (counts[self.stratum] > 0)
        if not here.any():
            return math.nan, 0
        weight = self._weights(counts, np.isfinite(self.answer) & (counts[self.stratum] > 0))
        among = weight[here].sum()
        return float(weight[here] @ self.junk[here] / among), int(here.sum())

    def _counts(self, threshold: float, scores: Floats) -> Index:
        at = stratum_of(self.strata, scores[Cut(threshold).selects(scores)])
        return np.bincount(at, minlength=len(self.strata) + 1)[:-1].astype(np.int64)

    def _estimate(self, threshold: float, counts: Index, here: NDArray[np.bool_]) -> Precision:
        picks, judged = int(counts.sum()), int(here.sum())
        if not judged:
            return Precision(threshold, picks, 0, math.nan, 0.0, 1.0, 0.0)
        weight = self._weights(counts, here)[here]
        weight /= weight.sum()
        share = np.array([weight @ self.answer[here]])
        number = np.array([1.0 / (weight @ weight)])
        low, high = share_bounds(share, number, (1 - INTERVAL) / 2)
        bound, _ = share_bounds(share, number, 1 - BOUND)
        return Precision(
            threshold, picks, judged, *(float(one[0]) for one in (share, low, high, bound))
        )

    def _weights(self, counts: Index, here: NDArray[np.bool_]) -> Floats:
        """Return how many picks each judged pick of ``here`` stands for, ``(m,)``."""
        answered = np.unique(self.stratum[here])
        rows = np.arange(len(counts))
        behind = np.clip(np.searchsorted(answered, rows), 0, len(answered) - 1)
        before = np.maximum(behind - 1, 0)
        nearer = np.abs(answered[before] - rows) <= np.abs(answered[behind] - rows)
        home = np.where(nearer, answered[before], answered[behind])
        stands = np.bincount(home, counts, minlength=len(counts))
        judged = np.bincount(self.stratum[here], minlength=len(counts))
        weights: Floats = np.where(here, (stands / np.maximum(judged, 1))[self.stratum], 0.0)
        return weights


def rows_to_show(found: Sequence[Precision], most: int = 12) -> list[Precision]:
    """Return at most about so many cuts of many, evenly."""
    step = max(1, math.ceil(len(found) / most))
    return list(found[step - 1 :: step])
