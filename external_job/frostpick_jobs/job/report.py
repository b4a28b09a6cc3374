"""The report of any job, from what it delivers. All of the record is in ``run.json``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from frostpick.errors import Spell, counted, flag, spelled
from frostpick.picking.against_noise import AgainstNoise
from frostpick.picking.held_out import held_out_of
from frostpick.report.figure import Figure
from frostpick.report.page import Table, render_report
from frostpick.report.scores import expected_table
from frostpick.settings.train import OBJECTIVES
from frostpick.types import sigmoid
from frostpick_jobs.job.outputs import Output, PicksOutput, Report, find

Row = tuple[str, object]

#: Name of the page in a job's folder.
REPORT = "report.html"


def report_title(report: Report, job: str) -> str:
    """Return the heading of a job's report; ``job`` is what the host calls the job."""
    return f"frostpick {report.record.get('task', 'job')}: {job}"


def job_report(
    title: str,
    report: Report,
    outputs: Sequence[Output],
    spell: Spell = flag,
    *,
    opening: Sequence[str] = (),
) -> str:
    """Return the HTML page of a finished job, with the table of thresholds where it picked.

    Options are written as ``spell`` has them; ``opening`` are the job's last lines.
    """
    record, picks = report.record, find(outputs, PicksOutput)
    parts: list[Figure | Table] = [
        replace(one, caption=spelled(one.caption, spell)) for one in report.figures
    ]
    if picks is not None:
        # Behind the plots of the scores, whose section it joins.
        known = held_out_of(record.get("model", {}).get("trained_on", {}))
        weighed = record.get("threshold", {}).get("against_noise")
        against = None if weighed is None else AgainstNoise(**weighed)
        own = record.get("threshold", {}).get("by_micrograph", False)
        marked = math.nan if own else picks.threshold
        table = expected_table(picks.scores, marked, known, against)
        parts.insert(min(2, len(parts)), table)
    return render_report(
        title,
        summary_rows(record, report.rows),
        parts,
        warnings_of(record, spell),
        failures=[(name, spelled(why, spell)) for name, why in report.failed.items()],
        settings=_given(record.get("settings", {})),
        software=record.get("versions", {}),
        opening=[spelled(line, spell) for line in opening],
    )


def warnings_of(record: Mapping[str, Any], spell: Spell) -> list[str]:
    """Return the warnings of a run record, with options as ``spell`` has them."""
    return [spelled(text, spell) for text in record.get("warnings", ())]


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that have a value: the others tell a reader nothing."""
    return {name: value for name, value in settings.items() if value not in (None, "")}


def summary_rows(record: Mapping[str, Any], given: Sequence[Row] | None = None) -> list[Row]:
    """Return the rows at the top of the report; what the record lacks is left out.

    Parameters
    ----------
    given
        Those of a task that brings its own, instead of what is known of it here.
    """
    known = _SUMMARIES.get(str(record.get("task")), _picking)
    rows = known(record) if given is None else list(given)
    rows += [
        ("device", _device(record)),
        ("time", _time(record.get("seconds", {}).get("total"))),
        ("ended", _when(record.get("ended"))),
    ]
    return [(name, value) for name, value in rows if value is not None]


def _picking(record: Mapping[str, Any]) -> list[Row]:
    counts, threshold = record.get("counts", {}), record.get("threshold", {})
    score = threshold.get("score")
    return [
        ("micrographs picked", counts.get("micrographs")),
        ("micrographs failed", counts.get("failed")),
        ("picks selected", counts.get("selected")),
        ("picks above the floor", counts.get("picks")),
        ("threshold", None if score is None else _threshold(score, threshold)),
        ("likely noise among them", _noise(record.get("noise", {}))),
        ("precision", _promised(record)),
        ("micrographs at their threshold of before", threshold.get("kept_by_micrographs") or None),
        ("exemplars", record.get("exemplars")),
        ("started from", _shipped(record) if record.get("task") == "fewshot" else None),
        ("model", _model(record)),
        ("diameter", _diameter(record)),
        ("smallest distance", _angstrom(record.get("min_distance_A"))),
    ]


def _training(record: Mapping[str, Any]) -> list[Row]:
    training, model = record.get("training", {}), record.get("model", {})
    counts, settings = record.get("counts", {}), record.get("settings", {})
    origin = "given" if training.get("expected_was_given") else "estimated"
    expected, asked = training.get("expected_per_micrograph"), record.get("second_opinion")
    return [
        ("labels", counts.get("labels")),
        ("of them, repeated objects", record.get("included", {}).get("labels")),
        ("labelled micrographs", counts.get("labelled_micrographs")),
        ("held out", _held_out(training.get("split_text"))),
        ("recall at its threshold", _recall(training.get("recall"))),
        (f"particles a micrograph, {origin}", None if expected is None else f"{expected:.0f}"),
        ("likely noise at its threshold", _noise(record.get("noise", {}))),
        ("loss", _loss(training.get("objective"))),
        ("kept step", _of(training.get("chosen_step"), training.get("steps"))),
        ("started from", _version(record, model.get("started_from"))),
        ("second opinion", _version(record, settings.get("pruner", "pruner")) if asked else None),
        ("model", _trained(record)),
        ("diameter", _diameter(record)),
    ]


def _pruning(record: Mapping[str, Any]) -> list[Row]:
    counts, threshold = record.get("counts", {}), record.get("threshold", {})
    labels = record.get("labels", {})
    score = threshold.get("score")
    given = f"{labels['good']} good, {labels['bad']} bad" if "good" in labels else None
    return [
        ("rows", counts.get("rows")),
        ("kept", counts.get("kept") if threshold else None),
        ("threshold", None if score is None else _threshold(score, threshold)),
        ("precision", _promised(record)),
        ("labels", given),
        ("pruner", _model(record)),
        ("diameter", _diameter(record)),
    ]


def _pretraining(record: Mapping[str, Any]) -> list[Row]:
    settings, curve = record.get("settings", {}), record.get("curve") or [{}]
    device = None if "device" in record else settings.get("device")
    return [
        ("method", settings.get("method")),
        ("steps", settings.get("steps") or curve[-1].get("step")),
        ("model", _short(record.get("model", {}).get("digest"))),
        ("started from", _shipped(record)),
        ("diameter", _angstrom(settings.get("diameter"))),
        ("device", device),
    ]


#: What a report tells of a task at its top; of others that bring no rows, as of picking.
_SUMMARIES: Mapping[str, Callable[[Mapping[str, Any]], list[Row]]] = {
    "train": _training,
    "iterate": _training,
    "prune": _pruning,
    "verify": _pruning,
    "pretrain": _pretraining,
}


def _model(record: Mapping[str, Any]) -> str | None:
    """Return a model's name and digest; the digest alone where the record has no name."""
    model = record.get("model", {})
    name, digest = model.get("name"), _short(model.get("digest"))
    return f"{_version(record, name)} ({digest})" if name else digest


def _trained(record: Mapping[str, Any]) -> str | None:
    """Return the digest of a new model; of a training in rounds, the one that it came of too."""
    digest = _short(record.get("model", {}).get("digest"))
    chosen = _of(record.get("best_round"), record.get("counts", {}).get("rounds"))
    return digest if chosen is None else f"as of round {chosen} ({digest})"


def _of(part: object, whole: object) -> str | None:
    """Return ``part of whole``; None where the record lacks either."""
    return None if part is None or whole is None else f"{part} of {whole}"


def _version(record: Mapping[str, Any], name: Any) -> Any:
    """Return the version that a shipped name means in this job; another name as it is."""
    return record.get("shipped", {}).get(name, {}).get("version", name)


def _shipped(record: Mapping[str, Any]) -> str | None:
    """Return the shipped models of a job by their versions; None where it used none."""
    return ", ".join(one["version"] for one in record.get("shipped", {}).values()) or None


def _threshold(score: float, threshold: Mapping[str, Any]) -> str:
    frozen = ", frozen by an earlier run" if threshold.get("frozen") else ""
    if threshold.get("provisional"):
        frozen = ", provisional"
    least = " at the least" if threshold.get("by_micrograph") else ""
    probability = float(sigmoid(score))
    return f"{score:.2f}{least} (p = {probability:.2f}, {threshold.get('rule')}{frozen})"


def _recall(recall: Mapping[str, Any] | None) -> str | None:
    """Return the recall by labels that a training held out; None where it held out none."""
    if not recall:
        return None
    low, high = recall["low"], recall["high"]
    share = f"{recall['found'] / recall['labels']:.0%} ({low:.0%} to {high:.0%})"
    return f"{share} of {recall['labels']} held-out labels"


def _noise(noise: Mapping[str, Any]) -> str | None:
    """Return how many of the selected picks are likely noise; None where it cannot be told."""
    if noise.get("share") is None:
        return None
    if not noise["at_least"]:
        return f"no clear sign of it (up to {noise['share_high']:.1%})"
    return f"at least {noise['at_least']:,} (expected {noise['share']:.1%})"


def _promised(record: Mapping[str, Any]) -> str | None:
    """Return what judged picks say of a precision; a warning tells where it is not guaranteed."""
    promise = record.get("promise", {})
    if not promise.get("guaranteed"):
        return None
    low, high = promise["interval_95"]
    judged = counted(promise["judged_picks"], "judged pick")
    return f"{promise['precision']:.2f} ({low:.2f} to {high:.2f}), guaranteed by {judged}"


def _device(record: Mapping[str, Any]) -> str | None:
    device, threads = record.get("device"), record.get("threads")
    if device is None:
        return None
    return f"{device}, {counted(threads, 'thread')}" if threads else str(device)


def _short(digest: object) -> str | None:
    return None if digest is None else str(digest)[:12]


def _diameter(record: Mapping[str, Any]) -> str | None:
    """Return the diameter that holds: found, or given, or the model's own."""
    told = _angstrom(record.get("diameter_A", record.get("settings", {}).get("diameter")))
    found = "diameter_A" in record.get("own_scale", {})
    return f"{told}, found in the micrographs" if told and found else told


def _angstrom(length: object) -> str | None:
    return f"{length:g} A" if isinstance(length, (int, float)) else None


def _loss(name: object) -> str | None:
    """Return the name of an objective with its meaning."""
    if name is None:
        return None
    return f"{name}, {OBJECTIVES[name]}" if name in OBJECTIVES else str(name)


def _held_out(text: object) -> str | None:
    if text is None:
        return None
    return re.sub(r" are held out to choose the (epoch|step that is kept)$", "", str(text))


def _when(moment: object) -> str | None:
    """Return the minute of an ISO time in UTC as people write it."""
    if moment is None:
        return None
    return re.sub(r"T(\d\d:\d\d):[\d.]+(\+00:00|Z)$", r" \1 UTC", str(moment))


def _time(seconds: object) -> str | None:
    if not isinstance(seconds, (int, float)):
        return None
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
