"""Recall by the view's tilt: of a barrel, by how much of the diameter its projection fills.

Seen along its axis (tilt 0 or 180 degrees) a barrel is a ring as wide as the barrel; at right
angles to it its projection is as long as the particle. Mirrored views count as one: the tilt is
folded to 0 to 90 degrees.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accuracy.draws import folded_tilt
from accuracy.matching import Matched
from accuracy.text_table import MISSING, markdown
from unseen.bins import edges

#: Edges of the bins of folded tilt, in degrees; views of the first are called end-on.
EDGES = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0)


def recall_by_tilt(matched: Matched, threshold: float) -> list[dict[str, int]] | None:
    """Return particles and those found at a threshold, by bin; None without known views."""
    if not len(matched.particles) or not np.isfinite(matched.particles.tilt).all():
        return None
    tilt = folded_tilt(matched.particles)
    # 90 degrees itself belongs to the last bin.
    number = np.minimum(np.digitize(tilt, EDGES) - 1, len(EDGES) - 2)
    found = matched.found_at >= threshold
    return [
        {"found": int(found[number == k].sum()), "particles": int((number == k).sum())}
        for k in range(len(EDGES) - 1)
    ]


def recall_by_extent(
    matched: Matched, table: Path, threshold: float
) -> list[dict[str, float]] | None:
    """Return particles and those found at a threshold, by bins of the extent of their views.

    None where the truth's table has no such column.

    Parameters
    ----------
    table
        CSV of the truth; its rows are those of ``matched.particles.row``.
    """
    with table.open(encoding="utf-8", newline="") as handle:
        extents = [row.get("extent") for row in csv.DictReader(handle)]
    if not extents or None in extents or not len(matched.particles):
        return None
    extent = np.array(extents, float)[matched.particles.row]
    cuts = edges(extent)
    number = np.clip(np.searchsorted(cuts, extent, side="right") - 1, 0, len(cuts) - 2)
    found = matched.found_at >= threshold
    return [
        {
            "low": round(float(cuts[k]), 2),
            "high": round(float(cuts[k + 1]), 2),
            "found": int(found[number == k].sum()),
            "particles": int((number == k).sum()),
        }
        for k in range(len(cuts) - 1)
    ]


def views_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the recall by tilt of each model and stated diameter, halves of a set together."""
    total: dict[tuple[str, float], np.ndarray] = {}
    for one in results:
        if one["views"] is not None:
            counts = np.array([[v["found"], v["particles"]] for v in one["views"]])
            key = (one["model"], one["factor"])
            total[key] = total.get(key, 0) + counts
    header = ["model", "stated / true"]
    header += [f"{a:g} to {b:g}" for a, b in itertools.pairwise(EDGES)]
    rows = []
    for (model, factor), counts in total.items():
        cells = [f"{f / n:.2f} of {n}" if n else MISSING for f, n in counts.tolist()]
        rows.append([model, f"{factor:g}", *cells])
    return markdown(header, rows)
