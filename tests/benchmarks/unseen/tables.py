"""The protocol's tables; the worst set and the worst view stand beside every mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from accuracy.recorded import MATCHED, rows_of
from accuracy.text_table import MISSING, markdown, number

from unseen.bins import LEAST, PRECISION, Bin, worst
from unseen.gathered import TrainingSet

#: Counts of labels in the order of the tables: none, own picks, labels, all of them.
ORDER = ("none", "0", "15", "50", "200", "all")


def counts(g: TrainingSet) -> list[str]:
    """Return the counts that have results, in the order of the tables."""
    there = {labels for _, _, labels in g.cells}
    return [c for c in ORDER if c in there] + sorted(there - set(ORDER))


def short(start: str) -> str:
    """Return a start model's name for a column: without its digest where that suffices."""
    return start.rsplit("-", 1)[0]


def _heads(g: TrainingSet) -> dict[str, str]:
    names = [short(s) for s in g.starts]
    return {s: short(s) if names.count(short(s)) == 1 else s for s in g.starts}


def set_table(g: TrainingSet) -> str:
    """Return the AP of every set, count and start, the matched filter beside."""
    heads = _heads(g)
    columns = [(s, c) for c in counts(g) for s in g.starts if _any(g, s, c)]
    header = ["set", "matched filter", *(f"{c}, {heads[s]}" for s, c in columns)]
    names = [n for n in g.views if n not in g.others]
    names += [n for n in g.others if any(n == key[1] for key in g.cells)]
    rows = []
    for name in names:
        cells = [g.cells.get((s, name, c)) for s, c in columns]
        shown = [number(cell.mean) if cell is not None else MISSING for cell in cells]
        rows.append([name, number(_limit(g, name)), *shown])
    return markdown(header, rows)


def _any(g: TrainingSet, start: str, labels: str) -> bool:
    return any((s, c) == (start, labels) for s, _, c in g.cells)


def _limit(g: TrainingSet, name: str) -> float:
    if name in g.limits:
        return g.limits[name].ap
    quoted = rows_of(MATCHED, name) if name in g.others else []
    return float(quoted[0]["ap"]) if quoted else math.nan


def summary_table(g: TrainingSet) -> str:
    """Return mean, worst set, gaps to the sets' own ceilings and worst view, by count and start."""
    header = (
        "labels, start",
        "sets",
        "AP",
        "worst set",
        "gap to ceiling",
        "worst gap",
        "worst view",
        "share of matched filter",
        "mean share",
    )
    heads, rows = _heads(g), []
    for labels in counts(g):
        for start in g.starts:
            names = g.sets(start, labels)
            if names:
                rows.append([f"{labels}, {heads[start]}", *_summary(g, start, labels, names)])
    return markdown(header, rows)


def _summary(g: TrainingSet, start: str, labels: str, names: Sequence[str]) -> list[str]:
    ap = {name: g.cells[start, name, labels].mean for name in names}
    low = min(ap, key=lambda n: ap[n])
    gaps = {n: v for n in names if not math.isnan(v := g.gap(start, n, labels))}
    far = max(gaps, key=lambda n: gaps[n]) if gaps else None
    view = worst_view(g, start, labels)
    shares = [b.share for p in g.proteins for b in g.bins(start, p, labels) if b.particles >= LEAST]
    shares = [s for s in shares if not math.isnan(s)]
    return [
        str(len(names)),
        number(float(np.mean(list(ap.values())))),
        f"{number(ap[low])} {low}",
        number(float(np.mean(list(gaps.values()))) if gaps else None),
        f"{number(gaps[far])} {far}" if far is not None else MISSING,
        MISSING if view is None else f"{view[0]} {_range(view[1])}",
        MISSING if view is None else _share(view[1]),
        number(float(np.mean(shares)) if shares else None),
    ]


def worst_view(g: TrainingSet, start: str, labels: str) -> tuple[str, Bin] | None:
    """Return the protein and the bin of extent with the lowest share of the matched filter."""
    found = [(p, b) for p in g.proteins if (b := worst(g.bins(start, p, labels))) is not None]
    return min(found, key=lambda one: one[1].share) if found else None


def _range(b: Bin) -> str:
    return f"{b.low:.2f}-{b.high:.2f} {b.view}".rstrip()


def _share(b: Bin) -> str:
    low, high = b.interval
    return f"{b.share:.2f} ({low:.2f}-{high:.2f})"


def view_table(g: TrainingSet) -> str:
    """Return recall by projected extent of every protein, as a share of the matched filter's."""
    heads = _heads(g)
    columns = [(s, c) for c in counts(g) for s in g.starts if g.sets(s, c)]
    header = ["protein, extent", "particles", "hollow", "matched filter"]
    header += [f"{c}, {heads[s]}" for s, c in columns]
    rows = []
    for protein in g.proteins:
        by_column = [g.bins(s, protein, c) for s, c in columns]
        ranges = dict.fromkeys((b.low, b.high, b.view) for bins in by_column for b in bins)
        for limits in sorted(ranges):
            here = [
                next((b for b in bins if (b.low, b.high, b.view) == limits), None)
                for bins in by_column
            ]
            one = next(b for b in here if b is not None)
            rows.append(
                [
                    f"{protein}, {_range(one)}",
                    str(one.particles),
                    number(one.hollow, 2),
                    number(one.limit),
                    *(MISSING if b is None else _share(b) for b in here),
                ]
            )
    return markdown(header, rows)


def own_picks_table(g: TrainingSet) -> str:
    """Return what training on its own picks does to a start: AP, and recall of the worst view."""
    header = ("set", "AP, start", "AP, own picks", "over seeds", "gain", "view that loses most")
    rows, heads = [], _heads(g)
    for start in g.starts:
        for name in (n for n in g.sets(start, "0") if (start, n, "none") in g.cells):
            before, after = g.cells[start, name, "none"], g.cells[start, name, "0"]
            low, high = min(after.ap), max(after.ap)
            seeds = f"{number(low)} to {number(high)}" if len(after.ap) > 1 else "one seed"
            lost = most_lost(g, start, g.views[name].protein)
            view = MISSING if lost is None else f"{_range(lost[0])}: {lost[1]:+.3f}"
            gain = f"{after.mean - before.mean:+.3f}"
            title = f"{name}, {heads[start]}"
            rows.append([title, number(before.mean), number(after.mean), seeds, gain, view])
    return markdown(header, rows)


def most_lost(g: TrainingSet, start: str, protein: str) -> tuple[Bin, float] | None:
    """Return the bin of a protein, both noise laws, whose recall falls most by own picks."""
    before = {_limits(b): b for b in g.bins(start, protein, "none")}
    after = g.bins(start, protein, "0")
    both = [(b, b.recall - before[key].recall) for b in after if (key := _limits(b)) in before]
    usable = [one for one in both if one[0].particles >= LEAST]
    return min(usable, key=lambda one: one[1]) if usable else None


def _limits(b: Bin) -> tuple[float, float, str]:
    return b.low, b.high, b.view


def pages(g: TrainingSet) -> list[str]:
    """Return the tables with their titles."""
    if not g.cells:
        return ["no results; run without --table, or look at other versions with --any-code"]
    note = (
        f"Recall at precision {PRECISION} of both pickers as a share of the matched filter's, by "
        "projected extent (share of the diameter), both noise laws together, bins of at least "
        f"{LEAST} particles, parted by views along and across the axis where that leaves enough; "
        "95 % Wilson intervals of the picker's recall"
    )
    return [
        "AP by set; matched filter: true structure, true optics, perfect junk mask\n\n"
        + set_table(g),
        "All sets together; ceiling: the same start trained on all labels of all training "
        "micrographs\n\n" + summary_table(g),
        note + "\n\n" + view_table(g),
        "Trained on own picks, no label; recall at that precision of the protein's bin that loses "
        "most, both noise laws\n\n" + own_picks_table(g),
    ]
