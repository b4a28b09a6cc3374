"""Tables of true background picks beside those expected, and how often the two agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accuracy.text_table import MISSING, markdown, number

Result = Mapping[str, Any]
#: The factor that is asked for, and the fewest picks, on either side, that can tell it.
FACTOR, FEWEST = 1.5, 10


def within(row: Mapping[str, Any]) -> str:
    """Return whether truth and expectation agree: ``yes``, ``interval``, ``no``, or a dash.

    ``yes``: within `FACTOR`. ``interval``: not, but the truth is in the stated interval, or both
    are fewer than `FEWEST`, of which a factor is chance.
    """
    true, told = row["background"], row["expected"]
    if told is None:
        return MISSING
    if true and max(true / told, told / true) <= FACTOR:
        return "yes"
    if row["low"] <= true <= row["high"] or max(true, told) < FEWEST:
        return "interval"
    return "no"


def sets_table(results: Sequence[Result]) -> str:
    """Return a row a set, labels and cut."""
    header = ["set", "labels", "P >", "picks", "on particles", "on junk", "on background"]
    header += ["expected", "interval", "inverted", "within 1.5"]
    rows = []
    for one in results:
        for row in one["rows"]:
            interval = f"{number(row['low'], 0)} to {number(row['high'], 0)}"
            rows.append(
                [
                    *(one["set"], one["labels"], f"{row['p']:g}", f"{row['picks']}"),
                    *(f"{row[kind]}" for kind in ("particle", "junk", "background")),
                    *(number(row["expected"], 1), interval, f"{row['inverted']}", within(row)),
                ]
            )
    return markdown(header, rows)


def sums_table(results: Sequence[Result]) -> str:
    """Return a row a count of labels and cut: sums, and on how many sets the two agree."""
    header = ["labels", "P >", "sets", "on background", "expected", "on junk"]
    header += ["within 1.5", "or in the interval", "expected > all false", "at least > all false"]
    keys = dict.fromkeys((one["labels"], row["p"]) for one in results for row in one["rows"])
    rows = []
    for labels, p in keys:
        mine = [r for one in results if one["labels"] == labels for r in one["rows"] if r["p"] == p]
        mine = [r for r in mine if r["expected"] is not None]
        words = [within(r) for r in mine]
        over, surely = (
            sum(r[end] > r["background"] + r["junk"] for r in mine) for end in ("expected", "low")
        )
        rows.append(
            [
                *(labels, f"{p:g}", f"{len(mine)}", f"{sum(r['background'] for r in mine)}"),
                number(sum(r["expected"] for r in mine), 0),
                f"{sum(r['junk'] for r in mine)}",
                f"{words.count('yes')}",
                f"{words.count('yes') + words.count('interval')}",
                f"{over}",
                f"{surely}",
            ]
        )
    return markdown(header, rows)


def ice_table(results: Sequence[Result]) -> str:
    """Return a row a kind of ice, diameter and cut."""
    header = ["ice", "diameter", "P >", "picks", "inverted", "decoys", "expected share"]
    rows = []
    for one in results:
        for kind, cuts in one["kinds"].items():
            for row in cuts:
                known = row["expected"] is not None and row["picks"]
                share = f"{min(1.0, row['expected'] / row['picks']):.0%}" if known else MISSING
                rows.append(
                    [
                        *(kind, f"{one['diameter_A']:g} A", f"{row['p']:g}", f"{row['picks']}"),
                        *(f"{row['inverted']}", f"{row['decoys']}", share),
                    ]
                )
    return markdown(header, rows)
