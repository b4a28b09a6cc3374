"""Figures of other pickers that somebody recorded, quoted and never measured here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("recorded.json")
TOPAZ, MATCHED, AVERAGE = "topaz", "matched filter", "rotational average"


@cache
def recorded() -> dict[str, Any]:
    """Return the whole file: by picker, its source and rows."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def rows_of(picker: str, set_name: str, labels: str | None = None) -> list[dict[str, Any]]:
    """Return the recorded rows of a picker on a set, the shortest training first."""
    rows = [row for row in recorded()[picker]["rows"] if row["set"] == set_name]
    if labels is not None:
        rows = [row for row in rows if row.get("labels") == labels]
    return sorted(rows, key=lambda row: row.get("updates", 0))


def topaz_ap(set_name: str, labels: str) -> float | None:
    """Return Topaz's AP with as many labels, of its longest recorded training."""
    rows = rows_of(TOPAZ, set_name, labels)
    return float(rows[-1]["ap"]) if rows else None


def f1_by_squares(picker: str, set_name: str, labels: str) -> float | None:
    """Return the best F1 at IoU >= .5 of squares of a picker, of its longest training."""
    rows = [r for r in rows_of(picker, set_name, labels) if "best_f1_iou50" in r]
    return float(rows[-1]["best_f1_iou50"]) if rows else None


def topaz_recall(set_name: str) -> float | None:
    """Return the recall of Topaz (200 labels, 200 updates) at its best F1, where recorded."""
    found = [r["recall_at_best_f1"] for r in rows_of(TOPAZ, set_name) if "recall_at_best_f1" in r]
    return float(found[0]) if found else None


def topaz_false_kinds(set_name: str) -> dict[str, int] | None:
    """Return Topaz's false picks by kind at that recall, over all test micrographs."""
    rows = [row for row in rows_of(TOPAZ, set_name) if "recall_at_best_f1" in row]
    return dict(rows[0]["false_kinds"]) if rows else None
