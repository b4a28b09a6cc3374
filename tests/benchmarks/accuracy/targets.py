"""The targets, each with what was found and whether it is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from accuracy.few_labels import F1, LABELS, RIVALS, lead
from accuracy.recorded import topaz_ap, topaz_false_kinds
from accuracy.runs import NONE
from accuracy.summary import Cell, Overall, Result, cells, f1_gap, overall
from accuracy.table import false_kinds_of
from accuracy.text_table import markdown, number

SIMULATED = ("apof_r", "bgal_r", "gpcrgs_r")
MEAN_AP = {NONE: 0.93, "15": 0.96, "50": 0.965, "200": 0.975, "1000": 0.98}
REAL_AP = {NONE: 0.95, "15": 0.99, "200": 0.99}


@dataclass(frozen=True)
class Target:
    """A bound, and the value found; NaN where it was not measured."""

    what: str
    value: float
    bound: float
    at_least: bool

    @property
    def reached(self) -> bool | None:
        """Whether the bound holds; None where nothing was measured."""
        if math.isnan(self.value):
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def targets(results: Sequence[Result], start: str) -> list[Target]:
    """Return the targets of trainings from one start, on the development sets."""
    own = [cell for cell in cells(results) if cell.start == start]
    by_name = {(cell.set, cell.labels): cell for cell in own}
    together = {
        one.labels: one for one in overall(own) if {c.set for c in one.cells} == set(SIMULATED)
    }
    nan = float("nan")
    found = []
    for labels, bound in MEAN_AP.items():
        value = together[labels].ap if labels in together else nan
        found.append(Target(f"mean AP, {labels} labels", value, bound, True))
    for labels in MEAN_AP:
        lead = _lead([cell for cell in own if cell.simulated], labels)
        found.append(Target(f"lead over Topaz, worst simulated, {labels} labels", lead, 0, True))
    for labels, bound in REAL_AP.items():
        cell = by_name.get(("real", labels))
        value = cell.mean("ap") if cell else nan
        found.append(Target(f"real AP, {labels} labels", value, bound, True))
        lead = _lead([one for one in own if not one.simulated], labels)
        found.append(Target(f"lead over Topaz, real, {labels} labels", lead, 0, True))
    few = _few_labels(by_name)
    return [*found, *_thresholds(list(together.values())), *_junk(by_name), *few]


def _lead(own: Sequence[Cell], labels: str) -> float:
    leads = [
        cell.mean("ap") - ap
        for cell in own
        if cell.labels == labels and (ap := topaz_ap(cell.set, labels)) is not None
    ]
    return min(leads, default=float("nan"))


def _thresholds(together: Sequence[Overall]) -> list[Target]:
    """Return the targets of thresholds and localisation: the worst count of labels of each."""

    def worst(values: list[float]) -> float:
        return max(values, default=float("nan"))

    localisation = worst([o.mean("localisation") for o in together])
    defocus = worst([o.precision_spread for o in together])
    return [
        Target("F1 gap, mean", worst([o.mean(f1_gap) for o in together]), 0.03, False),
        Target("F1 gap, worst run", worst([o.worst_run(f1_gap) for o in together]), 0.05, False),
        Target("precision by defocus, worst set", defocus, 0.05, False),
        Target("ECE, mean", worst([o.mean("ece") for o in together]), 0.05, False),
        Target("localisation / diameter, mean", localisation, 0.03, False),
    ]


def _junk(by_name: dict[tuple[str, str], Cell]) -> list[Target]:
    """Return the share of Topaz's false picks at its recall: mean of the sets' shares."""
    found = []
    for labels in MEAN_AP:
        shares = []
        for name in SIMULATED:
            reference = topaz_false_kinds(name)
            cell = by_name.get((name, labels))
            ours = false_kinds_of(cell) if cell else None
            if reference is not None and ours is not None and cell is not None:
                # A draw that does not reach the recall would make the mean too good.
                complete = ours[1] == len(cell.results)
                share = sum(ours[0].values()) / sum(reference.values())
                shares.append(share if complete else math.inf)
        value = float(np.mean(shares)) if len(shares) == len(SIMULATED) else float("nan")
        found.append(Target(f"false picks / Topaz's, {labels} labels", value, 0.25, False))
    return found


def _few_labels(by_name: dict[tuple[str, str], Cell]) -> list[Target]:
    """Return the targets of 15 labels by the rule of few-shot pickers, IoU of squares."""
    some = [cell for name in SIMULATED if (cell := by_name.get((name, LABELS)))]
    complete = len(some) == len(SIMULATED)
    mean = float(np.mean([cell.mean(F1) for cell in some])) if complete else float("nan")
    found = [Target("best F1 at IoU .5, mean, 15 labels", mean, 0.93, True)]
    for picker in RIVALS:
        worst = min((lead(cell, picker) for cell in some), default=float("nan"))
        found.append(Target(f"lead over {picker}, worst simulated, IoU .5", worst, 0, True))
    real = by_name.get(("real", LABELS))
    value = real.mean(F1) if real else float("nan")
    return [*found, Target("real best F1 at IoU .5, 15 labels", value, 0.989, True)]


def targets_table(results: Sequence[Result], start: str) -> str:
    """Return the targets as a table."""
    words = {True: "yes", False: "no", None: "not measured"}
    rows = [
        [
            target.what,
            number(target.value),
            f"{'>=' if target.at_least else '<='} {target.bound:g}",
            words[target.reached],
        ]
        for target in targets(results, start)
    ]
    return markdown((f"target, from {start}", "found", "asked", "reached"), rows)
