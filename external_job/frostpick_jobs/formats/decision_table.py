"""The table of a pruning job: every row with its score, its fate and the reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from frostpick.runtime.atomic import write_text
from frostpick.types import REASONS, Decisions


def write_decision_table(
    path: Path,
    decisions: Decisions,
    names: Sequence[str],
    xy_px: tuple[ArrayLike, ArrayLike] | None = None,
    *,
    named: str = "image",
) -> None:
    """Write ``scores.csv``.

    Parameters
    ----------
    names
        ``(n,)`` what each row is called in its own table.
    xy_px
        ``(n,)`` each, positions on the micrograph; None leaves the columns out.
    named
        Head of the column of names: ``image``, ``micrograph`` or ``uid``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spread = bool(np.isfinite(decisions.spread).any())
    position = [] if xy_px is None else ["x_px", "y_px"]
    told = ["score", "probability", *(["spread"] if spread else []), "keep", "reason"]
    writer.writerow(["row", named, *position, *told])
    xy = None if xy_px is None else [np.asarray(axis, np.float64) for axis in xy_px]
    for row, name in enumerate(names):
        place = [] if xy is None else [f"{axis[row]:.3f}" for axis in xy]
        numbers = [_number(decisions.score[row]), _number(decisions.probability[row])]
        if spread:
            numbers.append(_number(decisions.spread[row]))
        reason = REASONS[int(decisions.reason[row])]
        writer.writerow([row, name, *place, *numbers, int(decisions.keep[row]), reason])
    write_text(path, text.getvalue())


def _number(value: float) -> str:
    return f"{value:.5g}" if np.isfinite(value) else ""
