"""The figures of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.evaluation.calibration_error import calibration_error

Float = NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """Precision, recall and F1 of the ``n_picks`` picks at or above a score threshold."""

    threshold: float
    n_picks: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class MicrographFigures:
    """One micrograph by itself; the last three at the pooled set's best threshold."""

    n_true: int
    n_picks: int
    ap: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Evaluation:
    """Picks of a set of micrographs against the truth, pooled over the set.

    Don't-care picks are left out of every array.

    Parameters
    ----------
    rule
        Rule of matching, see `frostpick.evaluation.matching.RULES`.
    n_true
        Particles that count.
    n_ignored
        Picks that do not count: on a particle cut by the border, or on nothing and not
        counted by the rule of the border (`frostpick.evaluation.truth.not_counted`).
    micrographs
        The scored micrographs, in order.
    score, probability
        ``(n,)`` float64, descending by score; ties keep the order of the input.
    is_true
        ``(n,)`` bool, matched to a particle that counts.
    error_px
        ``(n,)`` float64, distance to that particle; NaN without one.
    micrograph
        ``(n,)`` int64, index into ``micrographs``.
    true_per_micrograph
        ``(m,)`` int64, particles that count on each.
    """

    rule: str
    n_true: int
    n_ignored: int
    micrographs: tuple[str, ...]
    score: Float
    probability: Float
    is_true: NDArray[np.bool_]
    error_px: Float
    micrograph: NDArray[np.int64]
    true_per_micrograph: NDArray[np.int64]

    @property
    def n_picks(self) -> int:
        """Number of picks that count."""
        return len(self.score)

    @cached_property
    def precision(self) -> Float:
        """Precision of the best 1, 2, ... n picks, ``(n,)``."""
        return np.cumsum(self.is_true) / np.arange(1, self.n_picks + 1)

    @cached_property
    def recall(self) -> Float:
        """Recall of the best 1, 2, ... n picks, ``(n,)``."""
        return np.cumsum(self.is_true) / max(self.n_true, 1)

    @cached_property
    def f1(self) -> Float:
        """F1 of the best 1, 2, ... n picks, ``(n,)``."""
        return _harmonic(self.precision, self.recall)

    @property
    def ap(self) -> float:
        """Average precision, not interpolated: ``sum_i (R_i - R_{i-1}) P_i`` over all picks."""
        return float(np.sum(self.precision[self.is_true])) / max(self.n_true, 1)

    @cached_property
    def _best(self) -> int:
        return int(np.argmax(self.f1)) if self.n_picks else -1

    @property
    def best_f1(self) -> float:
        """Largest F1 over all cuts of the ranked picks; 0 without picks."""
        return float(self.f1[self._best]) if self.n_picks else 0.0

    @property
    def threshold_at_best_f1(self) -> float | None:
        """Score of the last pick at best F1; None without picks."""
        return float(self.score[self._best]) if self.n_picks else None

    def at(self, threshold: float) -> OperatingPoint:
        """Return the figures of the picks with ``score >= threshold``; 0 where there are none."""
        n = int(np.count_nonzero(self.score >= threshold))
        if n == 0:
            return OperatingPoint(threshold, 0, 0.0, 0.0, 0.0)
        p, r, f = (float(a[n - 1]) for a in (self.precision, self.recall, self.f1))
        return OperatingPoint(threshold, n, p, r, f)

    @cached_property
    def _errors_at_best(self) -> Float:
        upto = slice(0, self._best + 1)
        return self.error_px[upto][self.is_true[upto]]

    @property
    def localisation_mean_px(self) -> float | None:
        """Mean distance of the matches at best F1, in pixels; None without a match."""
        e = self._errors_at_best
        return float(e.mean()) if len(e) else None

    @property
    def localisation_rms_px(self) -> float | None:
        """Root of the mean squared distance of the matches at best F1, in pixels."""
        e = self._errors_at_best
        return float(np.sqrt((e**2).mean())) if len(e) else None

    @cached_property
    def ece(self) -> float | None:
        """Expected calibration error, 10 bins of equal width; None without picks."""
        return calibration_error(self.probability, self.is_true) if self.n_picks else None

    @cached_property
    def per_micrograph(self) -> Mapping[str, MicrographFigures]:
        """Figures of every micrograph by itself, each with its own ranking."""
        order = np.argsort(self.micrograph, kind="stable")
        ends = np.cumsum(np.bincount(self.micrograph, minlength=len(self.micrographs)))
        parts = np.split(order, ends[:-1]) if self.micrographs else []
        threshold = self.threshold_at_best_f1
        figures = {}
        for name, rows, n_true in zip(
            self.micrographs, parts, self.true_per_micrograph.tolist(), strict=True
        ):
            true = self.is_true[rows]
            precision = np.cumsum(true) / np.arange(1, len(rows) + 1)
            n = 0 if threshold is None else int(np.count_nonzero(self.score[rows] >= threshold))
            p = float(precision[n - 1]) if n else 0.0
            r = float(true[:n].sum()) / max(n_true, 1)
            figures[name] = MicrographFigures(
                n_true=n_true,
                n_picks=len(rows),
                ap=float(precision[true].sum()) / max(n_true, 1),
                precision=p,
                recall=r,
                f1=float(_harmonic(np.array(p), np.array(r))),
            )
        return figures

    def macro(self) -> dict[str, float | None]:
        """Return AP, precision, recall and F1 averaged over micrographs that have particles."""
        rows = [f for f in self.per_micrograph.values() if f.n_true > 0]
        names = ("ap", "precision", "recall", "f1")
        if not rows:
            return dict.fromkeys(names)
        return {name: float(np.mean([getattr(f, name) for f in rows])) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """Return every figure as plain numbers, for JSON."""
        threshold = self.threshold_at_best_f1
        return {
            "rule": self.rule,
            "ap": self.ap,
            "best_f1": self.best_f1,
            "threshold_at_best_f1": threshold,
            "precision_at_best_f1": float(self.precision[self._best]) if self.n_picks else 0.0,
            "recall_at_best_f1": float(self.recall[self._best]) if self.n_picks else 0.0,
            "largest_recall": float(self.recall[-1]) if self.n_picks else 0.0,
            "n_micrographs": len(self.micrographs),
            "n_true": self.n_true,
            "n_picks": self.n_picks,
            "n_ignored": self.n_ignored,
            "localisation_mean_px": self.localisation_mean_px,
            "localisation_rms_px": self.localisation_rms_px,
            "calibration_error": self.ece,
            "macro": self.macro(),
            "per_micrograph": {name: asdict(f) for name, f in self.per_micrograph.items()},
        }


def _harmonic(precision: Float, recall: Float) -> Float:
    return np.asarray(2 * precision * recall / np.maximum(precision + recall, 1e-9))
