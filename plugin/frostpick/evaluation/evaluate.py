"""Score picks against the truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.evaluation.matching import RULES, Rule, candidate_pairs
from frostpick.evaluation.result import Evaluation
from frostpick.evaluation.truth import Border, Truth, not_counted
from frostpick.points import greedy_match
from frostpick.types import Picks


def evaluate(
    picks: Mapping[str, Picks],
    truth: Mapping[str, Truth | Picks],
    diameter_px: float | Mapping[str, float],
    shapes: Mapping[str, tuple[int, int]] | None = None,
    rule: Rule = "quarter",
    *,
    micrographs: Collection[str] | None = None,
    border: Border = "ignored",
) -> Evaluation:
    """Match picks to particles one to one by descending score, and rank them pooled.

    Parameters
    ----------
    picks
        Picks by micrograph id. Equal scores keep the order of the scored micrographs and,
        within one, of the rows: only then is the figure defined where scores tie.
    truth
        Every particle by micrograph id. Picks or labels are taken as truth with
        `Truth.of`: those nearer than a radius to the border do not count.
    diameter_px
        Diameter of the particle in pixels, for all or by micrograph id.
    shapes
        Rows and columns by micrograph id; a micrograph without one has no border.
    rule
        ``quarter`` or ``half`` of the diameter between centres, or ``iou50``.
    micrographs
        The micrographs to score. All of the truth when None; a micrograph that is
        listed and not in the truth has no particle, so every pick on it is false.
    border
        ``ignored``: picks on nothing whose centre lies nearer than a radius to the border do
        not count. ``scored``: they are false, unless they lie on a particle that is cut by
        the border (`not_counted`); for a truth that names every particle up to the border.

    Raises
    ------
    ValueError
        A score is NaN, a diameter is not positive, or the rule is unknown.
    """
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}, expected one of {', '.join(RULES)}")
    names = tuple(dict.fromkeys(truth if micrographs is None else micrographs))
    shapes = shapes or {}
    table = _Table()
    for name in names:
        diameter = diameter_px[name] if isinstance(diameter_px, Mapping) else diameter_px
        if not diameter > 0:
            raise ValueError(f"{name}: the particle diameter is {diameter} px, expected above 0")
        shape = shapes.get(name)
        particles = truth.get(name)
        if particles is None:
            particles = Truth.from_xy(name, [], [])
        elif isinstance(particles, Picks):
            particles = Truth.of(particles, diameter, shape)
        table.add(picks.get(name, Picks.empty(name)), particles, diameter, shape, rule, border)
    return table.result(names, rule)


class _Table:
    """Picks and particles of all micrographs under running indices."""

    def __init__(self) -> None:
        self._picks: list[Picks] = []
        self._truth: list[Truth] = []
        self._pairs: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
        self._neutral: list[NDArray[np.bool_]] = []
        self._n = self._t = 0

    def add(
        self,
        picks: Picks,
        truth: Truth,
        diameter_px: float,
        shape: tuple[int, int] | None,
        rule: Rule,
        border: Border,
    ) -> None:
        if np.isnan(picks.score).any():
            raise ValueError(f"{picks.micrograph_id}: a score is NaN")
        pick, particle, quality = candidate_pairs(
            np.column_stack([picks.y_px, picks.x_px]),
            np.column_stack([truth.y_px, truth.x_px]),
            diameter_px,
            rule,
        )
        self._pairs.append((pick + self._n, particle + self._t, quality))
        self._neutral.append(not_counted(picks.x_px, picks.y_px, truth, diameter_px, shape, border))
        self._picks.append(picks)
        self._truth.append(truth)
        self._n += len(picks)
        self._t += len(truth)

    def result(self, names: tuple[str, ...], rule: Rule) -> Evaluation:
        x, y, score, probability = (
            _join([getattr(p, column) for p in self._picks], np.float64)
            for column in ("x_px", "y_px", "score", "probability")
        )
        tx = _join([t.x_px for t in self._truth], np.float64)
        ty = _join([t.y_px for t in self._truth], np.float64)
        edge = _join([t.edge for t in self._truth], np.bool_)
        neutral = _join(self._neutral, np.bool_)
        pick, particle = (_join([p[k] for p in self._pairs], np.int64) for k in (0, 1))
        quality = _join([p[2] for p in self._pairs], np.float64)

        order = np.argsort(-score, kind="stable")
        rank = np.empty(self._n, np.int64)
        rank[order] = np.arange(self._n)
        matched = greedy_match(pick, particle, quality, rank, self._t)

        hit = matched >= 0
        error = np.full(self._n, np.nan)
        error[hit] = np.hypot(tx[matched[hit]] - x[hit], ty[matched[hit]] - y[hit])
        true, ignored = hit.copy(), ~hit & neutral
        true[hit] = ~edge[matched[hit]]
        ignored |= hit & ~true
        kept = order[~ignored[order]]
        which = np.repeat(np.arange(len(names)), [len(p) for p in self._picks])
        counts = np.array([np.count_nonzero(~t.edge) for t in self._truth], np.int64)
        return Evaluation(
            rule=rule,
            n_true=int(counts.sum()),
            n_ignored=int(ignored.sum()),
            micrographs=names,
            score=score[kept],
            probability=probability[kept],
            is_true=true[kept],
            error_px=error[kept],
            micrograph=which[kept].astype(np.int64),
            true_per_micrograph=counts,
        )


def _join(parts: list[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts])
