"""The threshold of a job: chosen once over all picks, then frozen."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.plan import PickPlan
from frostpick.picking.threshold import Cut, choose_threshold, expected_table
from frostpick.settings import Threshold as Rule
from frostpick_jobs.store import PickStore
from frostpick_jobs.store.keys import plan_settings, text_digest

log = logging.getLogger(__name__)

STATE = "threshold"


@dataclass(frozen=True)
class Threshold:
    """A threshold in score units, and whether an earlier run of the job chose it."""

    score: float
    rule: str
    frozen: bool

    @property
    def cut(self) -> Cut:
        """What it selects."""
        return Cut(self.score)


def threshold_basis(model_digest: str, plan: PickPlan, limit: int) -> str:
    """Return a digest of what a frozen threshold stands on: all but the micrographs.

    A micrograph that arrives later is judged as the earlier ones were. A first
    look with ``--limit`` does not freeze the threshold of the whole set.
    """
    settings = json.dumps(plan_settings(plan), sort_keys=True)
    return text_digest(model_digest, settings, str(limit))


def decide_threshold(
    store: PickStore, basis: str, rule: str | Rule, scores: NDArray[np.float64], own: float = 0.0
) -> Threshold:
    """Return the frozen threshold of this basis and rule, or choose and freeze one.

    Parameters
    ----------
    scores
        ``(n,)`` scores of all picks above the floor on all micrographs.
    own
        The model's own threshold.
    """
    state = store.read_state(STATE)
    if state.get("basis") == basis and state.get("rule") == str(rule):
        score = state.get("threshold")
        if isinstance(score, float):
            return Threshold(score, str(rule), frozen=True)
    return freeze_threshold(store, basis, rule, scores, own)


def freeze_threshold(
    store: PickStore, basis: str, rule: str | Rule, scores: NDArray[np.float64], own: float = 0.0
) -> Threshold:
    """Choose a threshold and freeze it for every continue of the job.

    Without a single pick there is nothing to choose by: the model's ``own`` threshold
    then serves, and micrographs that come later are free to choose.
    """
    asked = Rule.parse(rule)
    if not len(scores) and asked.kind == "auto":
        return Threshold(own, asked.text, frozen=False)
    score = float(choose_threshold(scores, asked))
    if asked.kind == "auto":
        # Three decimals, downwards: what the log prints can be typed elsewhere and keeps
        # the same picks, the lowest of which has exactly the score that was chosen.
        score = math.floor(score * 1000) / 1000
    store.write_state(
        STATE, {"basis": basis, "rule": asked.text, "threshold": score, "picks": len(scores)}
    )
    return Threshold(score, asked.text, frozen=False)


def log_threshold(threshold: Threshold, scores: NDArray[np.float64]) -> None:
    """Log the threshold, what it is expected to keep, and what others would."""
    origin = "frozen by an earlier run of this job" if threshold.frozen else threshold.rule
    log.info("threshold: score >= %.3f (%s)", threshold.score, origin)
    log.info(
        "minimum figure of merit (FOM) to type elsewhere for these picks: %.3f",
        minimum_fom(threshold.score),
    )
    log.info("  threshold      picks  expected precision  expected recall")
    levels = [row.threshold for row in expected_table(scores)]
    levels = [level for level in levels if f"{level:.2f}" != f"{threshold.score:.2f}"]
    for row in expected_table(scores, [*levels, threshold.score]):
        values = (row.threshold, row.count, row.precision, row.recall)
        mark = "  <- chosen" if row.threshold == threshold.score else ""
        log.info("%11.2f %10d %19.3f %16.3f%s", *values, mark)


def minimum_fom(score: float) -> float:
    """Return the largest number of three decimals below ``score``.

    RELION's Extract keeps picks strictly above the minimum it is given, frostpick
    those at or above its threshold.
    """
    return math.floor(score * 1000 - 1e-6) / 1000
