"""Whether the rounds of a training went wrong, told in sentences from their figures alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

Row = Mapping[str, float]

#: So many times as many picks as in round 0, or so small a part of them, is no improvement.
TIMES = 3.0
#: A rise of the number of picks is none of these where it found so many more held-out labels.
FOUND = 0.1
#: A fall of the held-out recall, or of the mean probability at four rotations, that is told.
FALL = 0.1
#: Growth from one round to the next that, twice in a row, does not settle.
GROWTH = 1.4
#: Divergence of the views from round 0, in bits, that is told.
DRIFT = 0.25


def round_warnings(table: Sequence[Row]) -> list[str]:
    """Return a sentence for each thing that went wrong, the worst kinds first.

    Parameters
    ----------
    table
        As `frostpick.iterating.iterate.IterationResult.table` has it.
    """
    if len(table) < 2:
        return []
    told = [*_picks(table), *_recall(table), *_agreement(table), *_views(table)]
    unused = [int(row["round"]) for row in table if not row["used"]]
    end = f" (round {unused[-1]} is not used)" if unused else ""
    return [f"{one}{end}" for one in told]


def _picks(table: Sequence[Row]) -> list[str]:
    first, counts = table[0], [row["picks"] for row in table]
    for row in table[1:]:
        ratio = row["picks"] / max(first["picks"], 1.0)
        change = f"from {first['picks']:,.0f} in round 0 to {row['picks']:,.0f}"
        if ratio >= TIMES and not _found_more(first, row):
            where = f"in round {row['round']:.0f}, {ratio:.1f} times as many"
            return [f"the number of picks explodes: {change} {where}"]
        if ratio <= 1 / TIMES and first["picks"] and not _found_as_many(first, row):
            return [f"the number of picks collapses: {change} in round {row['round']:.0f}"]
    growth = [now / max(before, 1.0) for before, now in pairwise(counts)]
    for n, both in enumerate(pairwise(growth)):
        found = _found_more(table[n], table[n + 2])
        fewer = max(both) <= 1 / GROWTH and not _found_as_many(table[n], table[n + 2])
        if (min(both) >= GROWTH and not found) or fewer:
            series = ", ".join(f"{count:,.0f}" for count in counts)
            return [f"the number of picks does not settle from round to round: {series}"]
    return []


def _found_more(before: Row, now: Row) -> bool:
    name = "held_out_recall"
    return name in now and name in before and now[name] - before[name] >= FOUND


def _found_as_many(before: Row, now: Row) -> bool:
    """Tell whether fewer picks hold the labels all the same: false ones went."""
    name = "held_out_recall"
    return name in now and name in before and now[name] >= before[name] > 0


def _recall(table: Sequence[Row]) -> list[str]:
    known = [row for row in table if "held_out_recall" in row]
    for n, row in enumerate(known[1:], 1):
        before = max(known[:n], key=lambda one: one["held_out_recall"])
        if before["held_out_recall"] - row["held_out_recall"] >= FALL:
            return [
                "agreement with the held-out labels falls: "
                f"{before['held_out_recall']:.0%} of them are found by round {before['round']:.0f},"
                f" {row['held_out_recall']:.0%} by round {row['round']:.0f}"
            ]
    return []


def _agreement(table: Sequence[Row]) -> list[str]:
    first = table[0]
    for row in table[1:]:
        if first["agreement"] - row["agreement"] >= FALL:
            return [
                "the picks of later rounds are less sure when the image is turned: mean "
                f"probability {first['agreement']:.2f} in round 0, {row['agreement']:.2f} in "
                f"round {row['round']:.0f}"
            ]
    return []


def _views(table: Sequence[Row]) -> list[str]:
    worst = max(table, key=lambda row: row["view_change"])
    if worst["view_change"] < DRIFT:
        return []
    return [
        f"the views drift: those of round {worst['round']:.0f} differ by "
        f"{worst['view_change']:.2f} bits from those of round 0"
    ]
