"""What is found of a set where the diameter is stated wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from accuracy.matching import match_picks
from accuracy.measure import Picked
from accuracy.sets import BenchSet
from accuracy.text_table import MISSING, markdown, number

from frostpick.models.picking_model import PickingModel
from response.extent_recall import recall_by_extent, recall_by_tilt
from response.picking import Jobs, set_tag

#: Stated diameters over the true one.
FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
#: Beside them: the diameter that the job finds itself.
AUTO = "auto"
#: One more for the barrel's views: those at which end-on views were first seen to be lost.
VIEW_FACTORS = (1.0, 0.85, 0.75)
Result = dict[str, Any]


def pick_stated(
    jobs: Jobs, name: str, model: PickingModel, data: BenchSet, half: str, factor: float | str
) -> Result:
    """Return the figures of one half of a set picked at ``factor`` times its diameter, or ``auto``.

    With them: the diameter in force over the true one, whether the job warned of the one stated,
    and the recall by the extent of the views where that is known.

    Parameters
    ----------
    name
        Of the model.
    half
        ``test`` or ``train``: no label is used, so either is as good.
    """
    split = data.test if half == "test" else data.train

    def make() -> Result:
        stated = factor if isinstance(factor, str) else factor * data.diameter_A
        picked, record = jobs.pick_told(model, split.micrographs, stated)
        told = {
            "model": name,
            "set": data.name,
            "half": half,
            "factor": factor,
            "in_force": record["diameter_A"] / data.diameter_A,
            "warned": any("does not fit" in one for one in record.get("warnings", ())),
        }
        return told | figures(data, half, picked)

    tag = factor if isinstance(factor, str) else f"{factor:g}"
    return jobs.kept(f"diameter-{set_tag(data)}-{half}-{tag}-{name}", make)


def figures(data: BenchSet, half: str, picked: Picked) -> Result:
    """Return AP, precision and recall at P = .5 and as selected, and recall by tilt.

    All by the true diameter: the rule of matching, and which picks lie at the border.
    """
    split = data.test if half == "test" else data.train
    matched = match_picks(picked.picks, split.truth, split.names, split.shape, data.diameter_px)

    def at(threshold: float) -> Result:
        above = matched.score >= threshold
        precision = float(matched.true[above].mean()) if above.any() else None
        return {"precision": precision, "recall": matched.recall(threshold)}

    return {
        "ap": matched.average_precision(),
        "even": at(0.0),
        "selected": at(picked.threshold),
        "views": recall_by_tilt(matched, 0.0),
        "extents": recall_by_extent(matched, split.table_path, picked.threshold),
    }


def diameter_table(results: Sequence[Result]) -> str:
    """Return AP by set, model and stated diameter, and the worst of them."""
    return _table(results, lambda r: number(r["ap"]), lambda r: r["ap"])


def even_table(results: Sequence[Result]) -> str:
    """Return precision and recall of the picks with P > .5, and the worst recall."""

    def text(r: Result) -> str:
        return f"{number(r['even']['precision'], 2)} / {number(r['even']['recall'], 2)}"

    return _table(results, text, lambda r: r["even"]["recall"])


def warned_table(results: Sequence[Result]) -> str:
    """Return whether the job warned of the stated diameter, and what ``auto`` came to."""

    def text(r: Result) -> str:
        return f"{r['in_force']:.2f}" if r["factor"] == AUTO else "yes" if r["warned"] else "no"

    return _table(results, text)


def extents_table(results: Sequence[Result]) -> str:
    """Return the recall of the selected picks by the extent of the views, of sets that tell it."""
    known = [r for r in results if r["extents"]]

    def text(r: Result) -> str:
        return " ".join(number(b["found"] / b["particles"], 2) for b in r["extents"])

    bins = {
        r["set"]: " ".join(f"{b['low']:g}-{b['high']:g} ({b['particles']})" for b in r["extents"])
        for r in known
    }
    told = "\n".join(f"{name}: {text_}" for name, text_ in bins.items())
    return f"{_table(known, text)}\n\nExtents (particles): {told}" if known else ""


def _table(
    results: Sequence[Result],
    text: Callable[[Result], str],
    value: Callable[[Result], float] | None = None,
) -> str:
    stated = sorted({r["factor"] for r in results if r["factor"] != AUTO})
    factors = [*stated, *([AUTO] if any(r["factor"] == AUTO for r in results) else [])]
    by = {(r["set"], r["model"], r["factor"]): r for r in results}
    rows = []
    for data, model in dict.fromkeys((r["set"], r["model"]) for r in results):
        found = [by.get((data, model, f)) for f in factors]
        cells = [MISSING if r is None else text(r) for r in found]
        worst = [number(min(value(r) for r in found if r is not None))] if value else []
        rows.append([data, model, *cells, *worst])
    heads = [f if isinstance(f, str) else f"{f:g}" for f in factors]
    return markdown(["set", "model", *heads, *(["worst"] if value else [])], rows)
