"""Fifteen labels of one micrograph: best F1 by the rule of few-shot pickers.

Centres match where squares of one diameter have an IoU of at least .5. The rows are the
trainings with 15 labels: `frostpick fewshot` does the same under ``--method auto``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accuracy.recorded import AVERAGE, TOPAZ, f1_by_squares
from accuracy.summary import NAN, Cell, Result, cells
from accuracy.text_table import markdown, number

LABELS = "15"
F1 = "best_f1_iou50"
#: Pickers whose figures were recorded with as many labels.
RIVALS = (TOPAZ, AVERAGE)


def few_labels_table(results: Sequence[Result]) -> str:
    """Return one row a set and start, and one of the simulated sets together."""
    own = [cell for cell in cells(results) if cell.labels == LABELS and cell.values(F1)]
    rows = [_row(cell) for cell in own]
    for start in dict.fromkeys(cell.start for cell in own):
        some = [cell for cell in own if cell.start == start and cell.simulated]
        if some:
            rows.append(_together(some, start))
    header = ("set", "start", "draws", "best F1", "sd", "worst draw", "Topaz", "rotational average")
    return markdown(header, rows)


def _row(cell: Cell) -> list[str]:
    values = np.array(cell.values(F1))
    spread = float(values.std(ddof=1)) if len(values) > 1 else NAN
    return [
        cell.set,
        cell.start,
        str(len(values)),
        *(number(float(v)) for v in (values.mean(), spread, values.min())),
        *(number(f1_by_squares(picker, cell.set, LABELS)) for picker in RIVALS),
    ]


def _together(some: Sequence[Cell], start: str) -> list[str]:
    """Return the row of means over the simulated sets."""
    row = ["simulated, mean", start, "-", number(float(np.mean([c.mean(F1) for c in some])))]
    row += ["-", number(min(min(c.values(F1)) for c in some))]
    for picker in RIVALS:
        found = [f1_by_squares(picker, c.set, LABELS) for c in some]
        known = [f1 for f1 in found if f1 is not None]
        row.append(number(float(np.mean(known)) if len(known) == len(found) else None))
    return row


def lead(cell: Cell, picker: str) -> float:
    """Return how far the mean over draws is above a recorded picker, NaN where unknown."""
    other = f1_by_squares(picker, cell.set, LABELS)
    return NAN if other is None else cell.mean(F1) - other
