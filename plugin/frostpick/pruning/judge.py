"""From the scores of a whole job to its decisions.

Scores come for even odds. Pruning adds what else is known, the picker's figures of merit and
the share of particles in the input, and cuts at a threshold; verifying leaves them as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.threshold import choose_threshold
from frostpick.pruning.best_rows import best_rows
from frostpick.pruning.decide import ScoredRows, decide, duplicates
from frostpick.pruning.figure_of_merit import FigureOfMeritFeature, figure_of_merit_feature
from frostpick.pruning.prior import log_odds, particle_share
from frostpick.settings import PruneSettings
from frostpick.types import Decisions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judgement:
    """What becomes of the rows of a job.

    Parameters
    ----------
    threshold
        Score from which a row is kept; minus infinity where every row is. The least that is
        kept where each micrograph has its own.
    share
        Share of particles that the scores of the decisions are for.
    word
        What the figures of merit of their picker added to the scores; None if nothing.
    counted
        ``(n,)`` bool in the order of the decisions: rows that any threshold could keep. Others
        were not read, or are at an edge, or lie too near to a better one.
    """

    decisions: Decisions
    threshold: float
    share: float = 0.5
    word: FigureOfMeritFeature | None = None
    counted: NDArray[np.bool_] | None = None


def prune_rows(
    rows: ScoredRows,
    merit: NDArray[np.float64] | None,
    settings: PruneSettings,
    min_distance_A: float,
    cut: Callable[[NDArray[np.float64], float], float] | None = None,
) -> Judgement:
    """Keep or reject every row, for the share of particles in this input.

    Parameters
    ----------
    merit
        ``(n,)`` figures of merit that the rows' picker gave, in their order; NaN where it gave
        none, None where it gave none to any.
    min_distance_A
        Of two kept rows nearer than this the worse one is a duplicate.
    cut
        Takes the scores of the rows that any threshold could keep, in the order of the
        decisions, and the threshold by the settings, and returns the one to take. Not asked
        where the rule counts rows.

    Raises
    ------
    InputError
        So many rows of each micrograph are asked for, and the micrograph of some is not known.
    """
    word = None
    if settings.figure_of_merit:
        word = _merit_word(rows, merit, settings.particle_fraction)
    if word is not None:
        rows = replace(rows, score=rows.score + word.added)
    share = settings.particle_fraction or particle_share(_inside(rows))
    rows = replace(rows, score=rows.score + log_odds(share))
    inside = np.isfinite(rows.score) & ~rows.edge
    counted = inside & ~duplicates(rows, inside, min_distance_A)
    order = np.argsort(rows.row, kind="stable")
    above = None
    if settings.threshold.counts_picks:
        above, threshold = best_rows(rows, counted, settings.threshold)
    else:
        threshold = choose_threshold(_inside(rows), settings.threshold)
        if cut is not None:
            threshold = cut(rows.score[order][counted[order]], threshold)
    if rows.edge.any():
        log.info(
            "%d of %d rows are rejected as edge: centres nearer to an edge of the micrograph than "
            "the %g diameters that were asked for, or off it",
            rows.edge.sum(),
            len(rows.edge),
            settings.border,
        )
    decisions = decide(rows, threshold, min_distance_A, above)
    return Judgement(decisions, threshold, share, word, counted[order])


def verify_rows(rows: ScoredRows) -> Judgement:
    """Keep every row with its score for even odds: whatever else is in the list changes none.

    A row whose centre lies off its micrograph shows no particle, and has no score either, as
    one whose image cannot be read.
    """
    rows = _without_those_off(rows)
    every = replace(rows, score=np.nan_to_num(rows.score))
    judged = decide(every, -np.inf, 0.0)
    order = np.argsort(rows.row, kind="stable")
    unread = ~np.isfinite(rows.score[order])
    decisions = replace(
        judged,
        score=rows.score[order],
        probability=np.where(unread, np.nan, judged.probability),
    )
    return Judgement(decisions, -np.inf)


def _inside(rows: ScoredRows) -> NDArray[np.float64]:
    """Return the scores of the rows that were read and are not at an edge."""
    return rows.score[np.isfinite(rows.score) & ~rows.edge]


def _merit_word(
    rows: ScoredRows, merit: NDArray[np.float64] | None, share: float | None
) -> FigureOfMeritFeature | None:
    """Return what the figures of merit of the rows' picker say, and tell it."""
    # A box that the edge cuts says nothing of what a figure of merit is worth.
    word = figure_of_merit_feature(np.where(rows.edge, np.nan, rows.score), merit, share)
    if word is not None:
        log.info(
            "the picker's figure of merit counts for half: %.0f %% of the rows with the lowest "
            "(%.3g) are taken for particles, %.0f %% of those with the highest (%.3g)",
            100 * word.share[0],
            word.merit[0],
            100 * word.share[-1],
            word.merit[-1],
        )
    return word


def _without_those_off(rows: ScoredRows) -> ScoredRows:
    """Take the scores of rows whose centres lie off their micrographs: their boxes are halves."""
    off = rows.edge
    if off.any():
        log.warning("%d centres lie off their micrographs and have no score", off.sum())
    return replace(
        rows,
        score=np.where(off, np.nan, rows.score),
        spread=np.where(off, np.nan, rows.spread),
        edge=np.zeros(len(off), np.bool_),
    )
