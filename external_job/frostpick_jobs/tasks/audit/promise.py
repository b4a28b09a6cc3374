"""What stands behind ``precision=P``: judged picks, or the model's word alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.auditing.estimate import BOUND, Judged, Precision
from frostpick.errors import InputError, Wording, counted, option
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import Threshold as Rule
from frostpick_jobs.job.host import Host
from frostpick_jobs.tasks.audit.kept import TABLE, KeptAudit

log = logging.getLogger(__name__)

CONFIDENCE = f"{100 * BOUND:.0f} %"


@dataclass(frozen=True)
class Audited:
    """The audit of a job as far as it serves.

    Parameters
    ----------
    judged
        None where there is nothing to go by.
    why
        In that case: one clause. Empty where there was no audit at all.
    """

    judged: Judged | None = None
    why: str = ""

    @classmethod
    def of(cls, spool: Path, digest: str) -> Audited:
        """Return the audit of a job whose scores have a digest; it never raises."""
        kept = KeptAudit.read(spool)
        if kept is None:
            return cls()
        if kept.digest != digest:
            return cls(None, "the picks that were judged are of another model or of other scores")
        try:
            judged = kept.judged(spool)
        except InputError as error:
            return cls(None, error.template)
        if not judged.count:
            return cls(None, f"{kept.folders(spool)[-1] / TABLE} has no answer yet")
        return cls(judged)

    def choose(self, rule: Rule, expected: float) -> float:
        """Return the threshold of ``precision=P``: the loosest that judged picks show to keep it.

        Where they show none it is the expected one, unless they think better of a stricter one.

        Parameters
        ----------
        expected
            The threshold by the model's probabilities, which holds without an audit, and for
            other rules.
        """
        if self.judged is None or rule.kind != "precision":
            return expected
        found = self.judged.loosest(rule.value)
        if found is not None:
            return found.threshold
        best = max(self.judged.cuts(), key=lambda one: one.bound, default=None)
        return expected if best is None else max(expected, best.threshold)


@dataclass(frozen=True)
class Promise:
    """What stands behind a threshold that was asked for as ``precision=P``.

    Parameters
    ----------
    rule
        As it was written.
    guaranteed
        Judged picks show the precision at the threshold, with 95 % confidence.
    found
        What they say there; None without any.
    why
        Why there are none, as in `Audited`.
    kept
        Micrographs that keep another threshold.
    """

    rule: str
    guaranteed: bool
    found: Precision | None
    why: str = ""
    kept: int = 0

    @classmethod
    def of(
        cls, rule: Rule, score: float, audited: Audited, scores: NDArray[np.float64], kept: int = 0
    ) -> Promise | None:
        """Return what stands behind a threshold in force; None for other rules."""
        if rule.kind != "precision":
            return None
        found = None if audited.judged is None else audited.judged.at(score, scores)
        shown = found is not None and found.bound >= rule.value - 1e-12
        return cls(rule.text, shown and not kept, found, audited.why, kept)

    def told(self, host: str, place: str, again: str = "") -> Wording:
        """Return one sentence, with what to do where it is not guaranteed.

        Parameters
        ----------
        host, place
            Name of the host, and what its user calls the job's folder.
        again
            How a new threshold is chosen when the picks are judged, for a task with a way of
            its own.
        """
        asked, found = self.rule, self.found
        again = f"and then {again}" if again else _again(self.rule, host, place)
        judge = f"judge some 60 picks with frostpick audit {place}"
        if host == "cryosparc":
            judge = (
                "pick the same micrographs into a folder with frostpick pick, judge some 60 picks "
                "there with frostpick audit"
            )
        if self.kept:
            told = f"{counted(self.kept, 'micrograph')} of before keep another threshold"
            return Wording(f"not guaranteed: {told}; {option('renew_threshold')} takes one for all")
        if found is None and not self.why:
            return Wording(
                f"not guaranteed: {asked} stands on stated probabilities alone, which may "
                f"promise too much on data that it has not seen; {judge}, {again}"
            )
        if found is None:
            return Wording(f"not guaranteed: {self.why}; see frostpick audit {place}, {again}")
        say = (
            f"{counted(found.judged, 'judged pick')} at or above this threshold "
            f"say{'s' if found.judged == 1 else ''} {found.precision:.2f} "
            f"({found.low:.2f} to {found.high:.2f}, 95 %)"
        )
        if self.guaranteed:
            return Wording(
                f"{asked} is guaranteed, with {CONFIDENCE} confidence: {say}, and at least "
                f"{np.floor(found.bound * 1000) / 1000:.3f}"
            )
        return Wording(
            f"not guaranteed: {say}, which does not show {asked} with {CONFIDENCE} confidence; "
            f"judge more with frostpick audit {place} --more, or ask for less, {again}"
        )

    def recorded(self) -> Mapping[str, Any]:
        """Return what the run record keeps."""
        found = self.found
        if found is None:
            return {"guaranteed": self.guaranteed}
        return {
            "guaranteed": self.guaranteed,
            "judged_picks": found.judged,
            "precision": found.precision,
            "interval_95": [found.low, found.high],
            "bound_95": found.bound,
        }


def tell_promise(
    promise: Promise | None, host: Host, record: RunRecord, *, again: str = ""
) -> None:
    """Say in log and record what stands behind a threshold; nothing for rules without a promise.

    The report takes it from the record; ``again`` is for `Promise.told`.
    """
    if promise is None:
        return
    place = host.place.job if host.name == "cryosparc" else str(host.place.folder or host.place.job)
    told = promise.told(host.name, place, again)
    log.log(logging.INFO if promise.guaranteed else logging.WARNING, told)
    record.add(promise={**promise.recorded(), "told": told.template})
    if not promise.guaranteed:
        record.warn(told.template)


def _again(rule: str, host: str, place: str) -> str:
    if host == "folder":
        return f"and then give frostpick select {place} --threshold {rule}"
    if host == "cryosparc":
        return "and then give the score that it names as the threshold here"
    return f"and then continue this job with {option('renew_threshold')}"
