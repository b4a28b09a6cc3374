"""Every pick and every particle of a split by itself: what a table of kinds and views needs.

The same rule as `frostpick.evaluation.evaluate`: one to one by descending score, centres at
most a quarter of the diameter apart; `measure` compares the AP of both at each run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accuracy.truth_table import TruthTable
from frostpick.evaluation.matching import candidate_pairs
from frostpick.evaluation.truth import Border, Truth, not_counted
from frostpick.points import greedy_match
from frostpick.types import Picks

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Matched:
    """Picks that count, best first, and the particles with the score each was found at.

    Parameters
    ----------
    score, x_px, y_px
        ``(n,)`` of the picks.
    true
        ``(n,)`` bool.
    micrograph
        ``(n,)`` int64, index into the names that were scored.
    found_at
        ``(t,)`` float64, score of the pick on each particle that counts, -inf for none; in
        the order of ``particles``.
    particles
        The particles that count, ``t`` of them.
    counts
        ``(m,)`` int64, how many of them are on each micrograph.
    """

    score: Float
    x_px: Float
    y_px: Float
    true: NDArray[np.bool_]
    micrograph: NDArray[np.int64]
    found_at: Float
    particles: TruthTable
    counts: NDArray[np.int64]

    def recall(self, threshold: float, among: NDArray[np.bool_] | None = None) -> float:
        """Return the fraction of the particles found at or above a score, NaN without any."""
        found = self.found_at if among is None else self.found_at[among]
        return float(np.mean(found >= threshold)) if len(found) else float("nan")

    def average_precision(self, weight: NDArray[np.int64] | None = None) -> float:
        """Return the AP, micrograph ``m`` being there ``weight[m]`` times."""
        times = np.ones(len(self.counts), np.int64) if weight is None else weight
        w = times[self.micrograph].astype(np.float64)
        total = float(times @ self.counts)
        if total == 0:
            return float("nan")
        every, hits = np.cumsum(w), np.cumsum(w * self.true)
        good = self.true & (w > 0)
        return float(np.sum(w[good] * hits[good] / every[good]) / total)


def match_picks(
    picks: Mapping[str, Picks],
    truth: TruthTable,
    names: tuple[str, ...],
    shape: tuple[int, int],
    diameter_px: float,
    border: Border = "scored",
) -> Matched:
    """Match the picks of a split to its particles.

    Left out of the picks are those on particles that are cut by the border: matched to one,
    or unmatched and nearer than a radius to its centre. With ``border`` ``ignored`` all
    unmatched ones nearer than a radius to the border are left out instead.
    """
    columns: dict[str, list[NDArray[np.float64]]] = {k: [] for k in "sxytm"}
    found_at: list[Float] = []
    particles: list[NDArray[np.int64]] = []
    everything = truth.particles
    for number, name in enumerate(names):
        one = picks.get(name, Picks.empty(name))
        rows = np.flatnonzero(everything.name == name)
        here = everything.keep(rows)
        rank = np.empty(len(one), np.int64)
        rank[np.argsort(-one.score, kind="stable")] = np.arange(len(one))
        pairs = candidate_pairs(
            np.column_stack([one.y_px, one.x_px]),
            np.column_stack([here.y_px, here.x_px]),
            diameter_px,
            "quarter",
        )
        matched = greedy_match(*pairs, rank, len(here))
        hit = matched >= 0
        cut = np.zeros(len(one), np.bool_)
        cut[hit] = here.edge[matched[hit]]
        particles_here = Truth.from_xy(name, here.x_px, here.y_px, edge=here.edge)
        neutral = not_counted(one.x_px, one.y_px, particles_here, diameter_px, shape, border)
        kept = ~(cut | (~hit & neutral))
        values = (one.score, one.x_px, one.y_px, hit.astype(float), np.full(len(one), number))
        for key, column in zip("sxytm", values, strict=True):
            columns[key].append(np.asarray(column, np.float64)[kept])
        at = np.full(len(here), -np.inf)
        at[matched[hit]] = one.score[hit]
        found_at.append(at[~here.edge])
        particles.append(rows[~here.edge])
    joined = {key: np.concatenate([np.zeros(0), *parts]) for key, parts in columns.items()}
    order = np.argsort(-joined["s"], kind="stable")
    return Matched(
        joined["s"][order],
        joined["x"][order],
        joined["y"][order],
        joined["t"][order] > 0,
        joined["m"][order].astype(np.int64),
        np.concatenate([np.zeros(0), *found_at]),
        everything.keep(np.concatenate([np.zeros(0, np.int64), *particles])),
        np.array([len(one) for one in particles], np.int64),
    )
