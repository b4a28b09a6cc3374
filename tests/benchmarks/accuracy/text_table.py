"""Tables as aligned Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

MISSING = "-"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with as many decimals, or a dash."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:.{digits}f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column is to the left, the others to the right."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[k]) for row in table) for k in range(len(header))]

    def line(row: Sequence[str]) -> str:
        words = [
            text.ljust(width) if k == 0 else text.rjust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(words) + " |"

    rule = [":" + "-" * (w - 1) if k == 0 else "-" * (w - 1) + ":" for k, w in enumerate(widths)]
    return "\n".join([line(table[0]), line(rule), *map(line, table[1:])])
