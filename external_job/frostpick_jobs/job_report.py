"""The report of any job, from what it delivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frostpick.report.figure import Figure
from frostpick.report.page import Table, render_report
from frostpick.report.scores import expected_table
from frostpick_jobs.host import Delivery

_NOT_A_ROW = {"settings", "versions", "failed", "curve", "seconds_by_stage"}


def job_report(title: str, delivery: Delivery) -> str:
    """Return the HTML page of a finished job."""
    record = delivery.record
    parts: list[Figure | Table] = [Figure(*one) for one in delivery.figures]
    if delivery.threshold is not None:
        # Behind the plots of the scores, whose section it joins.
        parts.insert(min(2, len(parts)), expected_table(delivery.scores, delivery.threshold))
    return render_report(
        title,
        summary_rows(record),
        parts,
        failures=list(delivery.failed.items()),
        settings=record.get("settings", {}),
        software=record.get("versions", {}),
    )


def summary_rows(record: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return the record as ``(name, value)`` rows, one level deep."""
    rows: list[tuple[str, object]] = []
    for name, value in record.items():
        if name in _NOT_A_ROW:
            continue
        if isinstance(value, Mapping):
            rows += [
                (f"{_words(name)}: {_words(key)}", _shown(item)) for key, item in value.items()
            ]
        else:
            rows.append((_words(name), _shown(value)))
    return rows


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _shown(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value
