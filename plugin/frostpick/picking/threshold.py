"""Which picks to select: a threshold from a rule and from the scores of the whole job."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.picking.against_noise import AgainstNoise
from frostpick.settings.threshold import Threshold
from frostpick.types import Picks, sigmoid

P = TypeVar("P", bound=Picks)
#: Score of the probability 0.5, used where there is nothing to choose from.
EVEN_ODDS = 0.0


@dataclass(frozen=True)
class Cut:
    """A threshold in force: what a rule comes to over the scores of a job.

    The one place that compares scores with a threshold.

    Parameters
    ----------
    score
        The least score that is selected.
    most
        How many picks of a micrograph are selected at most, the best ones; None for all. It
        leaves out one of two equal scores where a rule asks for a number of picks
        (`frostpick.picking.counted`).
    """

    score: float
    most: int | None = None

    def selects(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return the mask ``(n,)`` of the scores ``(n,)`` that are selected.

        Of equal scores the first ones are: picks of a micrograph come by falling score, and
        equal ones by position (`Picks.sorted`).
        """
        good = np.asarray(scores >= self.score)
        if self.most is not None and np.count_nonzero(good) > self.most:
            best = np.argsort(-np.asarray(scores), kind="stable")[: self.most]
            good = np.zeros(len(good), np.bool_)
            good[best] = True
        return good

    def count(self, scores: NDArray[np.float64]) -> int:
        """Return how many scores are selected."""
        return int(np.count_nonzero(self.selects(scores)))

    def select(self, picks: P) -> P:
        """Return the same picks, those that the cut selects marked as selected.

        Of equal scores the one with the smaller y, then the smaller x, comes first.
        """
        if self.most is None:
            return replace(picks, selected=self.selects(picks.score))
        order = np.lexsort((picks.x_px, picks.y_px, -picks.score))
        selected = np.empty(len(picks), np.bool_)
        selected[order] = self.selects(picks.score[order])
        return replace(picks, selected=selected)


#: Selects every pick above the floor.
EVERYTHING = Cut(-math.inf)


@dataclass(frozen=True)
class ThresholdRow:
    """What to expect of the picks at or above a threshold.

    ``count`` picks, of which the fraction ``precision`` are particles, which is the
    fraction ``recall`` of all particles expected among the scored picks: of what the model can
    see, for a view that it misses has no part in that (`frostpick.picking.held_out`).
    """

    threshold: float
    count: int
    precision: float
    recall: float


def choose_threshold(
    scores: ArrayLike | Iterable[ArrayLike],
    rule: str | Threshold,
    against: AgainstNoise | None = None,
) -> float:
    """Return the score at or above which a pick is selected.

    Every pick is a particle with its own probability, that of its score or, where the noise of
    the job is known, what the score is worth against it. So of the ``k`` best picks the
    sum of their probabilities is expected to be particles, and the sum over all picks
    stands for all particles there are.

    - ``auto``: the threshold of the largest expected F1 = 2 TP / (k + all particles).
    - a number: that score. ``p=P``: the score of that probability, whatever noise tells.
    - ``precision=P``: the lowest threshold whose picks have an expected precision of at
      least P; where none has, the score of the probability P or, if that selects any, the least
      that selects none.

    Rules that ask for a number of picks have a cut for each micrograph
    (`frostpick.picking.counted`).

    Equal scores are selected together or not at all. Without scores ``auto`` is the
    score of probability 0.5, and ``precision=P`` that of P.

    Parameters
    ----------
    scores
        Scores of all picks above the floor, of all micrographs; an array or parts of one.
    rule
        See `Threshold.parse`.
    against
        What scores are worth in the job.

    Raises
    ------
    ValueError
        The rule asks for a number of picks.
    """
    wanted = Threshold.parse(rule)
    if wanted.counts_picks:
        raise ValueError(f"{wanted.text} has a cut for each micrograph: see counted_cuts")
    if wanted.kind == "score":
        return wanted.value
    if wanted.kind == "p":
        return _logit(wanted.value)
    table = _Cumulative.of(scores, against)
    if wanted.kind == "precision":
        good = np.flatnonzero(table.precision >= wanted.value - 1e-12)
        if len(good):
            return float(table.threshold[good[-1]])
        best = float(table.threshold[0]) if len(table.threshold) else -math.inf
        return max(_logit(wanted.value), math.nextafter(best, math.inf))
    if not len(table.threshold):
        return EVEN_ODDS
    f1 = 2 * table.particles / (table.count + table.total)
    return float(table.threshold[int(np.argmax(f1))])


def expected_table(
    scores: ArrayLike | Iterable[ArrayLike],
    thresholds: Sequence[float] | None = None,
    against: AgainstNoise | None = None,
) -> list[ThresholdRow]:
    """Return expected precision and recall at some thresholds, rising.

    Parameters
    ----------
    scores, against
        As in `choose_threshold`.
    thresholds
        Scores; by default those of the probabilities 0.05, 0.1, 0.2 ... 0.9, 0.95.
    """
    if thresholds is None:
        thresholds = [_logit(p) for p in (0.05, *(k / 10 for k in range(1, 10)), 0.95)]
    table = _Cumulative.of(scores, against)
    rows = []
    for threshold in sorted(thresholds):
        last = int(np.count_nonzero(table.threshold >= threshold)) - 1
        if last < 0:
            rows.append(ThresholdRow(float(threshold), 0, math.nan, 0.0))
            continue
        rows.append(
            ThresholdRow(
                float(threshold),
                int(table.count[last]),
                float(table.precision[last]),
                float(table.particles[last] / table.total),
            )
        )
    return rows


@dataclass(frozen=True)
class _Cumulative:
    """Picks and expected particles at or above each distinct score, from the best down."""

    threshold: NDArray[np.float64]
    count: NDArray[np.float64]
    particles: NDArray[np.float64]
    total: float

    @property
    def precision(self) -> NDArray[np.float64]:
        return self.particles / np.maximum(self.count, 1)

    @classmethod
    def of(
        cls, scores: ArrayLike | Iterable[ArrayLike], against: AgainstNoise | None
    ) -> _Cumulative:
        parts = [scores] if isinstance(scores, np.ndarray) else list(scores)  # type: ignore[arg-type]
        pieces = [np.atleast_1d(np.asarray(part, np.float64)) for part in parts]
        values = np.concatenate(pieces) if pieces else np.zeros(0)
        values = np.sort(values[np.isfinite(values)])[::-1]
        worth = values if against is None else against.log_odds(values)
        particles = np.cumsum(sigmoid(worth))
        last = np.flatnonzero(np.append(np.diff(values) != 0, len(values) > 0))
        total = float(particles[-1]) if len(values) else 0.0
        return cls(values[last], (last + 1).astype(np.float64), particles[last], total)


def typed_score(score: float) -> float:
    """Return three decimals, downwards.

    What the log prints can be typed elsewhere and keeps the same picks, the lowest of which
    has exactly the score that was chosen.
    """
    return math.floor(score * 1000) / 1000


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
