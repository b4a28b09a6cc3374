"""What is found of a set where the diameter is stated wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from accuracy.matching import match_picks
from accuracy.measure import Picked
from accuracy.sets import BenchSet
from accuracy.text_table import MISSING, markdown, number

from frostpick.models.picking_model import PickingModel
from response.extent_recall import recall_by_tilt
from response.picking import Jobs, set_tag

#: Stated diameters over the true one.
FACTORS = (0.7, 0.85, 1.0, 1.2, 1.5)
#: One more for the barrel's views: those at which end-on views were first seen to be lost.
VIEW_FACTORS = (1.0, 0.85, 0.75)
Result = dict[str, Any]


def pick_stated(
    jobs: Jobs, name: str, model: PickingModel, data: BenchSet, half: str, factor: float
) -> Result:
    """Return the figures of one half of a set picked at ``factor`` times its diameter.

    Parameters
    ----------
    name
        Of the model.
    half
        ``test`` or ``train``: no label is used, so either is as good.
    """
    split = data.test if half == "test" else data.train

    def make() -> Result:
        picked = jobs.pick(model, split.micrographs, factor * data.diameter_A)
        return {"model": name, "set": data.name, "half": half, "factor": factor} | figures(
            data, half, picked
        )

    return jobs.kept(f"diameter-{set_tag(data)}-{half}-{factor:g}-{name}", make)


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
    }


def diameter_table(results: Sequence[Result]) -> str:
    """Return AP by set, model and stated diameter, and the worst of them."""
    return _table(results, lambda r: number(r["ap"]), lambda r: r["ap"])


def even_table(results: Sequence[Result]) -> str:
    """Return precision and recall of the picks with P > .5, and the worst recall."""

    def text(r: Result) -> str:
        return f"{number(r['even']['precision'], 2)} / {number(r['even']['recall'], 2)}"

    return _table(results, text, lambda r: r["even"]["recall"])


def _table(
    results: Sequence[Result], text: Callable[[Result], str], value: Callable[[Result], float]
) -> str:
    factors = sorted({r["factor"] for r in results})
    by = {(r["set"], r["model"], r["factor"]): r for r in results}
    rows = []
    for data, model in dict.fromkeys((r["set"], r["model"]) for r in results):
        found = [by.get((data, model, f)) for f in factors]
        cells = [MISSING if r is None else text(r) for r in found]
        worst = min(value(r) for r in found if r is not None)
        rows.append([data, model, *cells, number(worst)])
    return markdown(["set", "model", *(f"{f:g}" for f in factors), "worst"], rows)
