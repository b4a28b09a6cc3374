"""What Doppio shows of a job: figures, picks on micrographs, histograms, the report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from pipeliner.display_tools import create_results_display_object, make_image_carousel
from pipeliner.results_display_objects import ResultsDisplayObject

from frostpick_doppio.pictures import draw_picks
from frostpick_doppio.results import (
    LIST_FILE,
    RECORD,
    REPORT,
    SCORES,
    MicrographPicks,
    decided_rows,
    picks_of,
    pixel_size_of,
    probability,
    record_of,
    unfinished,
    warnings_of,
)

#: Where the pipeliner itself keeps pictures of a job; it clears the folder before each display.
_PICTURES = "Thumbnails"
FAILED = "failed"
#: Curves of a training, each figure's title and what it draws.
_CURVES = {
    "Loss": {"loss": "loss"},
    "Held-out labels": {"held_out_ap": "average precision", "held_out_recall": "recall"},
}
#: Counts of a run record whose name says too little.
_COUNTS = {"picks": "picks above the floor", "selected": "picks selected"}
#: Edges of the probability's histogram.
_EDGES = [step / 20 for step in range(21)]

Displays = List[ResultsDisplayObject]


def displays(job: str, in_mics: str) -> Displays:
    """Return the displays of a job, of what there is of it yet.

    Parameters
    ----------
    job
        The job's folder, with its slash.
    in_mics
        The micrographs STAR file of the job; empty where it had none.
    """
    record, picks = record_of(job), picks_of(job)
    if not record and not picks:
        text, why = unfinished(job)
        return [create_results_display_object("pending", message=text, reason=why)]
    shown = [_summary(job, record)] if record else []
    if picks:
        shown += _on_micrographs(job, record, picks, in_mics)
        shown.append(_counts(job, picks))
    shown += _curves(job, record)
    shown += _probabilities(job, picks)
    if os.path.isfile(job + REPORT):
        shown.append(
            create_results_display_object(
                "html",
                title="Report",
                html_file=job + REPORT,
                associated_data=[job + REPORT],
                start_collapsed=bool(picks),
            )
        )
    return shown


def _summary(job: str, record: Dict[str, Any]) -> ResultsDisplayObject:
    """Return the figures of the run record as a table; its flag holds the job's warnings."""
    threshold, noise = record.get("threshold") or {}, record.get("noise") or {}
    model, shipped = record.get("model") or {}, record.get("shipped") or {}
    counts = {_COUNTS.get(what, what): count for what, count in record.get("counts", {}).items()}
    rows = [[what.replace("_", " "), f"{n:,}"] for what, n in counts.items() if n or what != FAILED]
    if threshold.get("score") is not None:
        score, rule = threshold["score"], threshold.get("rule", "")
        rows.append(["threshold", f"{score:.2f} (p = {probability(score):.2f}, {rule})"])
    if noise.get("at_least"):
        rows.append(["likely noise among them", f"at least {noise['at_least']:,}"])
    for what, name in (("model", model.get("name")), ("started from", model.get("started_from"))):
        if name:
            rows.append([what, str((shipped.get(name) or {}).get("version", name))])
    if record.get("diameter_A"):
        rows.append(["diameter (A)", f"{record['diameter_A']:g}"])
    return create_results_display_object(
        "table",
        title=f"frostpick {record.get('task', '')}",
        headers=["", "value"],
        table_data=rows,
        associated_data=[job + RECORD],
        flag=" ".join(warnings_of(record)),
    )


def _on_micrographs(
    job: str, record: Dict[str, Any], picks: Sequence[MicrographPicks], in_mics: str
) -> Displays:
    """Return the micrographs with most, median and fewest picks, and all that can be leafed."""
    order = sorted(picks, key=lambda one: -len(one.places))
    some = {"most": order[0], "median": order[len(order) // 2], "fewest": order[-1]}
    shown, seen = [], set()
    for word, one in some.items():
        if one.micrograph in seen:
            continue
        seen.add(one.micrograph)
        file = Path(job) / _PICTURES / f"frostpick_{word}.png"
        title = f"Picks: the micrograph with {'the ' if word != 'median' else 'a '}{word}"
        shown.append(_picture(one, title, file, record.get("diameter_A"), in_mics))
    shown.append(
        make_image_carousel(
            starfile=job + LIST_FILE,
            block="coordinate_files",
            column="_rlnMicrographName",
            title="All micrographs",
        )
    )
    return shown


def _picture(
    one: MicrographPicks, title: str, file: Path, diameter_A: Optional[float], in_mics: str
) -> ResultsDisplayObject:
    try:
        draw_picks(one, diameter_A, pixel_size_of(in_mics, one.micrograph), file)
    except Exception as error:  # whatever an image reader raises: the other displays are shown
        return create_results_display_object(
            "pending", title=title, message=f"{one.micrograph} cannot be drawn", reason=str(error)
        )
    return create_results_display_object(
        "image",
        title=title,
        image_path=str(file),
        image_desc=f"{one.micrograph}: {len(one.places)} picks",
        associated_data=[one.micrograph, one.file],
    )


def _counts(job: str, picks: Sequence[MicrographPicks]) -> ResultsDisplayObject:
    counts = [float(len(one.places)) for one in picks]
    return create_results_display_object(
        "histogram",
        title=f"{sum(map(int, counts)):,} picks on {len(picks):,} micrographs",
        data_to_bin=counts,
        xlabel="Picks on a micrograph",
        ylabel="Micrographs",
        associated_data=[job + LIST_FILE],
    )


def _probabilities(job: str, picks: Sequence[MicrographPicks]) -> Displays:
    """Return the histogram of the probability of all rows that were decided on, or of picks."""
    rows = decided_rows(job)
    values = [one for one, _ in rows]
    title, what, source = f"{len(rows):,} rows", "Rows", job + SCORES
    if rows:
        title += f", {sum(keep for _, keep in rows):,} kept"
    else:
        values = [probability(score) for one in picks for score in one.scores]
        title, what, source = f"Probability of {len(values):,} picks", "Picks", job + LIST_FILE
    if not values:
        return []
    bins = [0] * (len(_EDGES) - 1)
    for one in values:
        bins[min(int(one * len(bins)), len(bins) - 1)] += 1
    histogram = create_results_display_object(
        "histogram",
        title=title,
        bins=bins,
        bin_edges=_EDGES,
        xlabel="Probability of being a particle",
        ylabel=what,
        associated_data=[source],
    )
    return [histogram]


def _curves(job: str, record: Dict[str, Any]) -> Displays:
    """Return the curves of a training, of those of its numbers that it has at two steps or more."""
    shown = []
    for title, drawn in _CURVES.items():
        series = {}
        for name, label in drawn.items():
            known = [one for one in record.get("curve") or () if one.get(name) is not None]
            if len(known) > 1:
                series[label] = [one["step"] for one in known], [one[name] for one in known]
        if series:
            graph = create_results_display_object(
                "graph",
                title=title,
                xvalues=[x for x, _ in series.values()],
                yvalues=[y for _, y in series.values()],
                data_series_labels=list(series),
                xaxis_label="Step",
                yaxis_label=title if len(drawn) == 1 else "Part of all",
                modes=["lines+markers"] * len(series),
                associated_data=[job + RECORD],
            )
            shown.append(graph)
    return shown
