"""The three lines that every job ends with: what was made, how good it looks, what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from frostpick.errors import counted
from frostpick.picking.against_noise import AgainstNoise
from frostpick.picking.threshold import expected_table
from frostpick.types import Decisions
from frostpick_jobs.job.endings import unused_inputs
from frostpick_jobs.job.outputs import (
    KeptRows,
    ModelOutput,
    Output,
    PicksOutput,
    Report,
    ScoredRows,
    find,
)

if TYPE_CHECKING:
    from frostpick_jobs.job.host import Host

#: Least share of particles that picks and kept rows are expected to have to look good. Chosen on
#: simulated sets, where 95 of the 99 pickings above it had a true precision of 0.7 or more; on
#: others 107 of 107.
PARTICLES = 0.6
#: Least share of held-out labels that a model must find.
FOUND = 0.5
#: From this share of noise on, and below this number a micrograph, picks do not look good.
NOISE, FEWEST = 0.1, 3


@dataclass(frozen=True)
class LastLines:
    """What a job says last; each is one line."""

    made: str
    looks: str
    next: str

    def __iter__(self) -> Iterator[str]:
        return iter((self.made, self.looks, self.next))


def last_lines(host: Host, outputs: Sequence[Output]) -> LastLines | None:
    """Return the last lines of a job by what it delivers; None for one without a report."""
    report = find(outputs, Report)
    if report is None:
        return None
    record = report.record
    good, why = how_good(record, outputs)
    unused = unused_inputs(report.failed, named=True)
    reasons = [*why, *([unused] if unused else [])]
    warned = len(record.get("warnings", ()))
    if warned:
        reasons.append(f"{counted(warned, 'warning')}")
    if warned and good:
        good = False
    word = {True: "Looks good", False: "Look closer", None: "Not measured"}[good]
    return LastLines(
        f"Made: {made(host, record, outputs)}.",
        f"{word}: {'; '.join(reasons)}.",
        f"Next: {host.next_step(str(record.get('task')), outputs, good=bool(good))}.",
    )


def made(host: Host, record: Mapping[str, Any], outputs: Sequence[Output]) -> str:
    """Return what a job has made, and where."""
    parts, counts = [], record.get("counts", {})
    for one in outputs:
        match one:
            case PicksOutput():
                parts.append(
                    f"{counted(counts.get('selected', 0), 'pick')} on "
                    f"{counted(counts.get('micrographs', 0), 'micrograph')} in "
                    f"{host.reference(one.name)}"
                )
            case KeptRows(decisions):
                kept = int(decisions.keep.sum())
                parts.append(f"{kept:,} of {len(decisions):,} rows in {host.reference(one.name)}")
            case ScoredRows(decisions):
                parts.append(
                    f"scores of {counted(len(decisions), 'row')} in {host.reference(one.name)}"
                )
            case ModelOutput():
                learned = counts.get("labels")
                told = f", from {counted(learned, 'label')}" if learned else ""
                word = "a pruner" if one.name == "pruner" else "a model"
                parts.append(f"{word} in {_model_place(host, one.name)}{told}")
            case _:
                continue
    return "; ".join([*parts, host.look_at_report()])


def _model_place(host: Host, name: str) -> str:
    """Return where a model is; a task may deliver one that its declaration does not name."""
    try:
        return host.reference(name)
    except (KeyError, StopIteration):
        return f"{host.place.job.rstrip('/')}/{name}"


def how_good(
    record: Mapping[str, Any], outputs: Sequence[Output]
) -> tuple[bool | None, Sequence[str]]:
    """Return whether what was made looks good, None where nothing tells, and the reasons."""
    picks, kept = find(outputs, PicksOutput), find(outputs, KeptRows)
    scored = find(outputs, ScoredRows)
    if picks is not None:
        return _of_picks(record, picks)
    if kept is not None:
        return _of_rows(kept.decisions, kept.decisions.keep, "kept rows", record)
    if scored is not None:
        read = np.isfinite(scored.decisions.score)
        return _of_rows(scored.decisions, read, "rows", record)
    return _of_training(record)


def _of_picks(record: Mapping[str, Any], picks: PicksOutput) -> tuple[bool, Sequence[str]]:
    weighed = record.get("threshold", {}).get("against_noise")
    against = None if weighed is None else AgainstNoise(**weighed)
    row = expected_table(picks.scores, [picks.threshold], against)[0]
    if not row.count:
        return False, ["no pick reaches the threshold"]
    promise = record.get("promise", {})
    if "precision" in promise:
        precision, by = float(promise["precision"]), f"by {promise['judged_picks']} judged picks"
    else:
        precision, by = row.precision, "by their scores"
    share, counts = record.get("noise", {}).get("share") or 0.0, record.get("counts", {})
    each = counts.get("selected", 0) / max(1, counts.get("micrographs", 0))
    told = [
        f"{precision:.0%} of the picks are expected to be particles, {by}",
        f"about {each:.0f} a micrograph" if each >= FEWEST else "very few a micrograph",
    ]
    told += _noise(record)
    return precision >= PARTICLES and share < NOISE and each >= FEWEST, told


def _of_rows(
    decisions: Decisions, chosen: np.ndarray[Any, Any], what: str, record: Mapping[str, Any]
) -> tuple[bool, Sequence[str]]:
    if not chosen.any():
        return False, [f"there are no {what}"]
    share = float(np.nanmean(decisions.probability[chosen]))
    promise = record.get("promise", {})
    by = "by their scores"
    if "precision" in promise:
        share, by = float(promise["precision"]), f"by {promise['judged_picks']} judged picks"
    return share >= PARTICLES, [f"{share:.0%} of the {what} are expected to be particles, {by}"]


def _of_training(record: Mapping[str, Any]) -> tuple[bool | None, Sequence[str]]:
    training = record.get("training", {})
    told = list(record.get("round_warnings", ()))
    good: bool | None = None
    recall = training.get("recall")
    if recall:
        share = recall["found"] / recall["labels"]
        told.append(
            f"at its threshold it finds {share:.0%} ({recall['low']:.0%} to {recall['high']:.0%}) "
            f"of {counted(recall['labels'], 'held-out label')}"
        )
        good = share >= FOUND
    before, now = training.get("start_held_out_ap"), training.get("held_out_ap")
    if before is not None and now is not None and now < before:
        told.append(f"average precision {now:.2f}, that of the start model {before:.2f}")
        good = False
    told += _noise(record)
    if (record.get("noise", {}).get("share") or 0.0) >= NOISE or record.get("round_warnings"):
        good = False
    last = (record.get("curve") or [{}])[-1]
    if good is None and not told and "held_out_ap" in last:
        return last["held_out_ap"] >= PARTICLES, [
            f"average precision {last['held_out_ap']:.2f} on what was held out"
        ]
    if recall is None:
        told.append("no label was held out to tell; look at the pictures of its picks")
    return good, told


def _noise(record: Mapping[str, Any]) -> list[str]:
    noise = record.get("noise", {})
    if noise.get("share") is None:
        return []
    if not noise["at_least"]:
        return ["no clear sign of noise"]
    return [f"at least {counted(noise['at_least'], 'pick')} likely noise"]
