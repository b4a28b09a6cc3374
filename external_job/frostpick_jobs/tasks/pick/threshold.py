"""The threshold of a job: chosen over all picks, frozen once there is evidence enough.

A run over a complete list chooses from all of it. A job that grows keeps what it has delivered:
RELION's Extract never extracts changed picks anew. Until enough micrographs are there the
threshold is provisional; then it is chosen once more, for those that come, and frozen.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import Wording, option
from frostpick.picking.against_noise import AgainstNoise
from frostpick.picking.counted import counted_cuts, least_of
from frostpick.picking.evidence import (
    ENOUGH_CANDIDATES,
    ENOUGH_MICROGRAPHS,
    LEAST_LIKELY,
    Evidence,
)
from frostpick.picking.held_out import VISIBLE, HeldOutLabels
from frostpick.picking.plan import PickPlan
from frostpick.picking.threshold import (
    EVEN_ODDS,
    Cut,
    choose_threshold,
    expected_table,
    typed_score,
)
from frostpick.settings import Threshold as Rule
from frostpick_jobs.store import PickStore
from frostpick_jobs.store.keys import plan_settings, text_digest
from frostpick_jobs.tasks.audit.kept import scores_digest
from frostpick_jobs.tasks.audit.promise import Audited, Promise
from frostpick_jobs.tasks.pick.delivered import Delivered, Delivery
from frostpick_jobs.tasks.pick.totals import Share

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Threshold:
    """The threshold in force, and the micrographs that keep another one.

    Parameters
    ----------
    score
        In score units; by a rule that counts picks the least one that is selected.
    frozen
        An earlier run of the job chose it.
    provisional
        It holds until there is evidence enough to choose by.
    own
        It is the model's own, for want of candidates.
    kept
        Micrograph id -> the cut that it was delivered with, where that is another.
    cuts
        Micrograph id -> its own cut, by a rule that counts picks.
    before, changed
        How many micrographs were delivered before, and on how many of them the selection is
        another one now.
    promise
        What stands behind ``precision=P``; None for other rules.
    """

    score: float
    rule: str
    frozen: bool
    provisional: bool = False
    own: bool = False
    kept: Mapping[str, Cut] = field(default_factory=dict)
    cuts: Mapping[str, Cut] = field(default_factory=dict)
    before: int = 0
    changed: int = 0
    promise: Promise | None = None

    def of(self, micrograph_id: str) -> Cut:
        """Return what is selected on a micrograph."""
        own = self.cuts.get(micrograph_id, Cut(self.score))
        return self.kept.get(micrograph_id, own)

    @property
    def by_micrograph(self) -> bool:
        """Whether each micrograph has a threshold of its own by the rule."""
        return Rule.parse(self.rule).kind == "per-micrograph"

    @property
    def others(self) -> int:
        """How many micrographs have another threshold than `score`."""
        return sum(self.of(n).score != self.score for n in {**self.cuts, **self.kept})


def threshold_basis(model_digest: str, plan: PickPlan, limit: int) -> str:
    """Return a digest of what a frozen threshold stands on: all but the micrographs.

    A micrograph that arrives later is judged as the earlier ones were. A first
    look with ``--max-micrographs`` does not freeze the threshold of the whole set.
    """
    settings = json.dumps(plan_settings(plan), sort_keys=True)
    return text_digest(model_digest, settings, str(limit))


def decide_threshold(
    store: PickStore,
    basis: str,
    rule: str | Rule,
    found: Mapping[str, Share],
    own: float = EVEN_ODDS,
    *,
    renew: bool = False,
    against: AgainstNoise | None = None,
) -> Threshold:
    """Return the threshold of each of a job's micrographs, and note it for the next run.

    It is chosen from all micrographs where nothing was delivered on this basis (the model, its
    scale, its settings) by this rule, where the pixel size of a delivered micrograph was
    corrected, and with ``renew``. Else what was delivered keeps its threshold; those that are
    new take the same one, until there is evidence enough to choose it once from all.

    Parameters
    ----------
    found
        Scores of all picks above the floor, and the pixel size, by micrograph.
    own
        The model's own threshold, which serves ``auto`` while there are too few candidates.
    against
        What scores are worth in this job.
    """
    asked = Rule.parse(rule)
    evidence = Evidence.of(one.scores for one in found.values())
    audited = _audited(store, basis, asked, found)
    held = Delivered.read(store, basis)
    seen = {} if held is None else {n: d for n, d in held.micrographs.items() if n in found}
    before = {n: d for n, d in seen.items() if d.same_scale(found[n].pixel_size_A)}
    follows = held is not None and held.rule == asked.text and not renew
    # so many of each micrograph depends on no other one: there is nothing to keep
    follows = follows and asked.kind != "per-micrograph"
    holds = held if follows and len(before) == len(seen) else None
    new = len(found) > len(seen)
    if holds is not None and (holds.settled or not new or not evidence.is_enough):
        settled = holds.settled
        provisional = not settled and (holds.provisional or new)
        chosen = Threshold(holds.threshold, asked.text, frozen=True, provisional=provisional)
    else:
        settled = asked.kind in ("score", "p", "per-micrograph") or evidence.is_enough
        chosen = _chosen(asked, found, evidence, own, against, audited)
        if holds is not None:
            log.info(
                "threshold chosen over %d micrographs with %d candidates, from now on frozen",
                evidence.micrographs,
                evidence.candidates,
            )
    kept = {n: d.cut for n, d in before.items() if d.cut != chosen.of(n)}
    chosen = replace(chosen, kept=kept if follows else {}, before=len(before))
    cuts = {n: chosen.of(n) for n in found}
    changed = [n for n, d in before.items() if not _alike(cuts[n], d, found[n].scores)]
    if renew and before and not changed:
        log.info("renewed: the picks of all %d micrographs delivered before stay", len(before))
    delivered = {n: Delivery(cuts[n], one.pixel_size_A) for n, one in found.items()}
    if held is not None and follows:
        delivered = {**held.micrographs, **delivered}
    now = Delivered(basis, asked.text, chosen.score, settled, chosen.provisional, delivered)
    if found:  # a round in which nothing could be used decides nothing
        now.write(store)
    promise = Promise.of(asked, chosen.score, audited, _all(found), len(chosen.kept))
    return replace(chosen, changed=len(changed), promise=promise)


def _audited(store: PickStore, basis: str, asked: Rule, found: Mapping[str, Share]) -> Audited:
    """Return the audit of the job, where the rule is one that it serves."""
    if asked.kind != "precision":
        return Audited()
    digest = scores_digest(basis, ((name, one.scores) for name, one in found.items()))
    return Audited.of(store.folder, digest)


def _all(found: Mapping[str, Share]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *(one.scores for one in found.values())])


def _chosen(
    asked: Rule,
    found: Mapping[str, Share],
    evidence: Evidence,
    own: float,
    against: AgainstNoise | None,
    audited: Audited,
) -> Threshold:
    """Choose from all scores; for ``auto`` the model's own where they say nothing."""
    if asked.kind == "auto" and not evidence.says_anything:
        return Threshold(typed_score(own), asked.text, frozen=False, provisional=True, own=True)
    if asked.counts_picks:
        scores = [one.scores for one in found.values()]
        cuts = counted_cuts(scores, asked)
        least = least_of(cuts, scores)
        own_cuts = {n: cut for n, cut in zip(found, cuts, strict=True) if cut != Cut(least)}
        return Threshold(least, asked.text, frozen=False, cuts=own_cuts)
    score = float(choose_threshold((one.scores for one in found.values()), asked, against))
    score = audited.choose(asked, score)
    return Threshold(
        typed_score(score) if asked.kind == "auto" else score, asked.text, frozen=False
    )


def _alike(cut: Cut, delivery: Delivery, scores: NDArray[np.float64]) -> bool:
    """Tell whether a cut selects what a micrograph was delivered with."""
    return cut.count(scores) == delivery.cut.count(scores)


def log_threshold(
    threshold: Threshold,
    scores: NDArray[np.float64],
    held_out: HeldOutLabels | None = None,
    against: AgainstNoise | None = None,
) -> None:
    """Log the threshold, what it is expected to keep, and what others would.

    Parameters
    ----------
    held_out
        Labels that the training of the model held out: recall is by them where there are any.
    against
        What scores are worth in this job.
    """
    if threshold.by_micrograph:
        log.info(
            "threshold: %s, the best of each micrograph; the least score among them is %.3f",
            threshold.rule,
            threshold.score,
        )
    else:
        log.info("threshold: score >= %.3f (%s)", threshold.score, _origin(threshold))
    if threshold.own:
        log.info(
            "fewer than %d likely particles: too few for auto, so that the model's own threshold "
            "holds",
            LEAST_LIKELY,
        )
    if threshold.provisional:
        log.info(
            "provisional: chosen from all, for micrographs that come, as soon as %d with particles "
            "and %s candidates are there",
            ENOUGH_MICROGRAPHS,
            f"{ENOUGH_CANDIDATES:,}",
        )
    if threshold.kept:
        log.info(
            Wording(
                "%d micrographs keep the threshold that they were delivered with; "
                f"{option('renew_threshold')} chooses one for all"
            ),
            len(threshold.kept),
        )
    if not threshold.by_micrograph:
        log.info(
            "RELION's Extract and others may ask for a minimum figure of merit (FOM): %.3f keeps "
            "%s",
            minimum_fom(threshold.score),
            f"the selected picks{' of the other micrographs' if threshold.kept else ''}",
        )
    named = VISIBLE if held_out is None else held_out.title
    log.info("  threshold      picks  expected precision  %s", named)
    levels = [row.threshold for row in expected_table(scores, against=against)]
    levels = [level for level in levels if f"{level:.2f}" != f"{threshold.score:.2f}"]
    if not threshold.by_micrograph:
        levels.append(threshold.score)
    for row in expected_table(scores, levels, against):
        precision = f"{row.precision:.3f}" if row.count else "-"
        recall = f"{row.recall:.3f}" if row.count else "-"
        if held_out is not None:
            recall = str(held_out.recall(row.threshold))
        mark = "  <- chosen" if row.threshold == threshold.score else ""
        told = (row.threshold, row.count, precision, recall.rjust(len(named)), mark)
        log.info("%11.2f %10d %19s  %s%s", *told)


def log_changed(threshold: Threshold) -> None:
    """Say on how many delivered micrographs the selection is another one now."""
    if threshold.changed:
        log.warning(
            "the picks of %d of %d micrographs delivered before have changed: extract their "
            "particles anew. RELION's Extract, continued, keeps the old ones: run a new one",
            threshold.changed,
            threshold.before,
        )


def _origin(threshold: Threshold) -> str:
    if threshold.frozen and threshold.provisional:
        return "provisional, of an earlier run of this job"
    if threshold.frozen:
        return "frozen by an earlier run of this job"
    return "provisional, the model's own" if threshold.own else threshold.rule


def minimum_fom(score: float) -> float:
    """Return the largest number of three decimals below ``score``.

    RELION's Extract keeps picks strictly above the minimum it is given, frostpick
    those at or above its threshold.
    """
    return math.floor(score * 1000 - 1e-6) / 1000
