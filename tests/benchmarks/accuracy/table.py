"""The tables of the main part: every set and count beside the recorded pickers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from accuracy.bootstrap import interval
from accuracy.measure import worst_bin
from accuracy.recorded import (
    MATCHED,
    TOPAZ,
    recorded,
    rows_of,
    topaz_ap,
    topaz_false_kinds,
    topaz_recall,
)
from accuracy.runs import COUNTS, NONE
from accuracy.sets import BENCH
from accuracy.summary import NAN, Cell, Overall, Result, cells, f1_gap, overall
from accuracy.text_table import markdown, number

HEADER = (
    "set, labels",
    "picker",
    "draws",
    "AP",
    "95 %",
    "sd",
    "best F1",
    "F1",
    "P",
    "R",
    "ECE",
    "loc/D",
    "count/true",
    "train s",
    "pick s",
    "AP inside",
    "on border",
    "near border",
)


#: Columns of the table of false picks.
KINDS = ("background", "fragment", "aggregate", "speck", "free_micelle", "carbon", "ice_crystal")


def main_table(results: Sequence[Result]) -> str:
    """Return every set x count x picker."""
    ours, blob = cells(results), {c.set: c for c in cells(results, "blob")}
    rows: list[list[str]] = []
    for name in dict.fromkeys(c.set for c in [*ours, *blob.values()]):
        for labels in COUNTS:
            here = [c for c in ours if (c.set, c.labels) == (name, labels)]
            rows += [_measured_row(cell, f"frostpick, {cell.start}") for cell in here]
            if labels == NONE and name in blob:
                rows.append(_measured_row(blob[name], "blob"))
            rows += [_recorded_row(r, f"Topaz, {r['updates']} up.") for r in _topaz(name, labels)]
        rows += [_recorded_row(r, "matched filter") for r in rows_of(MATCHED, name)]
    return markdown(HEADER, rows)


def _topaz(name: str, labels: str) -> list[dict[str, Any]]:
    return rows_of(TOPAZ, name, labels)


def _measured_row(cell: Cell, picker: str) -> list[str]:
    low, high = interval(cell.resampled)
    return [
        f"{cell.set}, {cell.labels}",
        picker,
        str(len(cell.results)),
        number(cell.mean("ap")),
        f"{number(low)}-{number(high)}",
        number(cell.spread),
        *(
            number(cell.mean(k))
            for k in ("best_f1", "auto_f1", "auto_precision", "auto_recall", "ece", "localisation")
        ),
        _counted(cell),
        number(cell.mean(lambda r: r["training"].get("cpu_s", 0.0)), 0),
        number(cell.mean("pick_cpu_s"), 2),
        number(cell.mean(lambda r: r.get("border_ignored", {}).get("ap"))),
        *(
            number(cell.mean(lambda r, k=key: r.get("border_false", {}).get(k)), 2)
            for key in ("on", "radius")
        ),
    ]


def _counted(cell: Cell) -> str:
    """Return the estimate of the training and the truth of its micrographs, or the test's."""
    estimated = cell.mean(lambda r: r["training"].get("estimated_per_micrograph"))
    if estimated == estimated:
        return f"{estimated:.0f}/{cell.mean('true_per_training_micrograph'):.0f}"
    found = cell.mean("expected_per_test_micrograph")
    return f"{found:.0f}/{cell.mean('true_per_test_micrograph'):.0f}"


def _recorded_row(row: dict[str, Any], picker: str) -> list[str]:
    p, r = row.get("auto_precision", NAN), row.get("auto_recall", NAN)
    f1 = 2 * p * r / (p + r) if p == p else NAN
    info = BENCH[row["set"]]
    return [
        f"{row['set']}, {row.get('labels', 'structure')}",
        picker,
        "1",
        number(row["ap"]),
        "-",
        "-",
        number(row["best_f1"]),
        *(number(v) for v in (f1, p, r)),
        "-",
        number(row["localisation_px"] * info.pixel_A / info.diameter_A),
        "-",
        number(row.get("train_cpu_s"), 0),
        number(row["pick_cpu_s"], 2),
        number(row["ap"]),
        "-",
        "-",
    ]


def overall_table(results: Sequence[Result]) -> str:
    """Return the simulated sets together, one row a count and start."""
    header = (
        "labels",
        "start",
        "sets",
        "mean AP",
        "95 %",
        "worst set",
        "its AP",
        "sd of draws",
        "Topaz mean",
        "F1 gap",
        "worst gap",
        "ECE",
        "loc/D",
        "P by defocus",
    )
    return markdown(header, [_overall_row(one) for one in overall(cells(results))])


def _overall_row(one: Overall) -> list[str]:
    topaz = [topaz_ap(cell.set, one.labels) for cell in one.cells]
    known = [ap for ap in topaz if ap is not None]
    return [
        one.labels,
        one.start,
        str(len(one.cells)),
        number(one.ap),
        f"{number(one.interval[0])}-{number(one.interval[1])}",
        one.lowest[0],
        number(one.lowest[1]),
        number(one.spread),
        number(sum(known) / len(known) if len(known) == len(topaz) else None),
        number(one.mean(f1_gap)),
        number(one.worst_run(f1_gap)),
        number(one.mean("ece")),
        number(one.mean("localisation")),
        number(one.precision_spread),
    ]


def false_kinds_of(cell: Cell) -> tuple[dict[str, float], int] | None:
    """Return false picks over the test micrographs by kind, mean of the draws that reached it."""
    known = [r["false_kinds"] for r in cell.results if r.get("false_kinds") is not None]
    if not known:
        return None
    total: Counter[str] = Counter()
    for one in known:
        total.update(one)
    return {kind: count / len(known) for kind, count in total.items()}, len(known)


def junk_table(results: Sequence[Result]) -> str:
    """Return false picks per micrograph by kind at the recall of Topaz's best F1."""
    rows: list[list[str]] = []
    ours = cells(results)
    for name in dict.fromkeys(cell.set for cell in ours):
        reference, recall = topaz_false_kinds(name), topaz_recall(name)
        if reference is None:
            continue
        here = [cell for cell in ours if cell.set == name]
        each = here[0].results[0]["micrographs"]
        rows.append(_junk_row(f"{name}, 200", "Topaz", recall, reference, each))
        for cell in here:
            found = false_kinds_of(cell)
            label = f"{name}, {cell.labels}"
            if found is None:
                rows.append([label, cell.start, "not reached", *["-"] * (len(KINDS) + 2)])
                continue
            row = _junk_row(label, cell.start, recall, found[0], each)
            if found[1] < len(cell.results):
                row[2] += f" ({found[1]} of {len(cell.results)})"
            rows.append(row)
    return markdown(("set, labels", "picker", "recall", "all", *KINDS, "other"), rows)


def _junk_row(
    label: str,
    picker: str,
    recall: float | None,
    counts: Mapping[str, float],
    micrographs: int,
) -> list[str]:
    every = float(sum(counts.values()))
    named = [float(counts.get(kind, 0)) for kind in KINDS]
    values = [every, *named, every - sum(named)]
    return [label, picker, number(recall), *(number(v / micrographs, 2) for v in values)]


def views_table(results: Sequence[Result]) -> str:
    """Return recall at the default threshold, and that of the worst bin of views."""
    rows = []
    for cell in cells(results):
        worst = [worst_bin(r["views"]) for r in cell.results if r.get("views")]
        found = [w for w in worst if w is not None]
        if found:
            row = [f"{cell.set}, {cell.labels}", cell.start, number(cell.mean("auto_recall"))]
            rows.append([*row, number(sum(found) / len(found)), number(min(found))])
    header = ("set, labels", "start", "recall", "worst bin, mean", "worst bin of any draw")
    return markdown(header, rows)


def sources() -> str:
    """Return where the recorded figures are from."""
    ours = (
        "frostpick and blob: measured here. train s and pick s: CPU seconds of the whole job, its "
        "pictures and report included, the latter per test micrograph; bench_speed.py fits the "
        "marginal cost. count/true: particles a micrograph as the training estimates them (without "
        "a training: sum of the probabilities on the test micrographs) and as they are. Topaz's "
        "F1, P and R are at its default threshold. Recorded pickers are scored without the "
        "false picks nearer than a radius to the border; AP inside is ours by that rule. On and "
        "near border: selected false picks a micrograph within 4 px and within a radius of it."
    )
    quoted = [f"{picker}, recorded: {entry['source']}." for picker, entry in recorded().items()]
    return "\n".join([ours, *quoted])
