"""Means, spreads and intervals over the results of runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from accuracy.bootstrap import interval
from accuracy.code_version import code_version
from accuracy.runs import COUNTS

Result = dict[str, Any]
NAN = float("nan")


def load_results(folder: Path, any_code: bool = False) -> list[Result]:
    """Read the results of this code, or of any: then the newest of each run.

    Returns
    -------
    list of dict
        As `accuracy.execute.carry_out` wrote them, in the order of sets, counts and draws.
    """
    paths = sorted(folder.glob("results/*.json"), key=lambda path: path.stat().st_mtime)
    newest: dict[tuple[Any, ...], Result] = {}
    for path in paths:
        result: Result = json.loads(path.read_text(encoding="utf-8"))
        if any_code or result["code"] == code_version():
            key = tuple(result[k] for k in ("start", "set", "labels", "draw", "kind"))
            newest[key] = result
    return sorted(newest.values(), key=_order)


def _order(result: Result) -> tuple[Any, ...]:
    return (
        result["start"],
        not result["simulated"],
        result["set"],
        COUNTS.index(result["labels"]) if result["labels"] in COUNTS else len(COUNTS),
        result["draw"],
    )


def f1_gap(result: Result) -> float:
    """Return how far the F1 at the default threshold is below the best of the curve."""
    return float(result["best_f1"] - result["auto_f1"])


def precision_spread(result_terciles: Sequence[dict[str, float]]) -> float:
    """Return the difference of the highest and the lowest precision over thirds by defocus."""
    found = [t["true"] / t["picks"] for t in result_terciles if t["picks"]]
    return max(found) - min(found) if found else NAN


@dataclass(frozen=True)
class Cell:
    """All draws of one set, count of labels and start."""

    set: str
    labels: str
    start: str
    simulated: bool
    results: tuple[Result, ...]

    def values(self, what: str | Callable[[Result], Any]) -> list[float]:
        """Return a figure of every draw that has it."""
        found = [r.get(what) if isinstance(what, str) else what(r) for r in self.results]
        return [float(v) for v in found if v is not None]

    def mean(self, what: str | Callable[[Result], Any]) -> float:
        """Return the mean over draws, NaN where no draw has the figure."""
        values = self.values(what)
        return float(np.mean(values)) if values else NAN

    @property
    def spread(self) -> float:
        """Standard deviation of the AP over draws, NaN for a single one."""
        values = self.values("ap")
        return float(np.std(values, ddof=1)) if len(values) > 1 else NAN

    @property
    def resampled(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """AP of every resample of the micrographs, the mean over draws."""
        return np.mean([r["resampled_ap"] for r in self.results], axis=0)

    @property
    def terciles(self) -> list[dict[str, float]] | None:
        """Right and all picks by thirds of defocus, summed over draws."""
        known = [r["terciles"] for r in self.results if r.get("terciles")]
        if not known:
            return None
        return [
            {key: float(sum(t[k][key] for t in known)) for key in ("true", "picks")}
            for k in range(3)
        ]


def cells(results: Iterable[Result], kind: str = "main") -> list[Cell]:
    """Group the results of a kind by start, set and count."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for r in results:
        if r["kind"] == kind:
            groups.setdefault((r["start"], r["set"], r["labels"]), []).append(r)
    return [
        Cell(set_, labels, start, some[0]["simulated"], tuple(some))
        for (start, set_, labels), some in groups.items()
    ]


@dataclass(frozen=True)
class Overall:
    """The simulated sets together, at one count of labels and start.

    Parameters
    ----------
    ap, interval
        Mean over sets of the means over draws, and its interval over micrographs.
    lowest
        The worst set, by name, and its AP.
    spread
        Mean over sets of the standard deviation over draws.
    """

    start: str
    labels: str
    cells: tuple[Cell, ...]
    ap: float
    interval: tuple[float, float]
    lowest: tuple[str, float]
    spread: float

    def mean(self, what: str | Callable[[Result], Any]) -> float:
        """Return the mean over sets of the mean over draws."""
        return float(np.mean([cell.mean(what) for cell in self.cells]))

    def worst_run(self, what: str | Callable[[Result], Any]) -> float:
        """Return the largest value of any run."""
        values = [v for cell in self.cells for v in cell.values(what)]
        return max(values) if values else NAN

    @property
    def precision_spread(self) -> float:
        """Largest difference of precision over defocus of any set, draws pooled."""
        known = [cell.terciles for cell in self.cells]
        return max((precision_spread(t) for t in known if t), default=NAN)


def overall(all_cells: Sequence[Cell]) -> list[Overall]:
    """Put the simulated sets together, by start and count."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in all_cells:
        if cell.simulated:
            groups.setdefault((cell.start, cell.labels), []).append(cell)
    found = []
    for (start, labels), some in groups.items():
        means = {cell.set: cell.mean("ap") for cell in some}
        worst = min(means, key=lambda name: means[name])
        spreads = [cell.spread for cell in some if np.isfinite(cell.spread)]
        found.append(
            Overall(
                start,
                labels,
                tuple(some),
                float(np.mean(list(means.values()))),
                interval(np.mean([cell.resampled for cell in some], axis=0)),
                (worst, means[worst]),
                float(np.mean(spreads)) if spreads else NAN,
            )
        )
    return sorted(found, key=lambda one: (one.start, COUNTS.index(one.labels)))
