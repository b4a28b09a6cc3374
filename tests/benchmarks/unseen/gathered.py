"""What the runs found, by start model, set and count of labels, with every view's recall."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from accuracy.draws import folded_tilt
from accuracy.matching import Matched, match_picks
from accuracy.measure import read_picked
from accuracy.summary import Result
from numpy.typing import NDArray

from unseen.bins import Bin, binned_recall, found
from unseen.matched_filter import as_picks
from unseen.sets import UnseenSet

NAN = float("nan")


@dataclass(frozen=True)
class Limit:
    """The matched filter on a set.

    Parameters
    ----------
    found
        ``(n,)`` bool of the particles that count, at the precision of `bins.PRECISION`.
    """

    ap: float
    found: NDArray[np.bool_]


@dataclass(frozen=True)
class Cell:
    """All draws of a start model, a set and a count of labels.

    Parameters
    ----------
    found
        Of each draw, which of the particles that count are found at that precision; empty
        where the picks are not kept.
    """

    start: str
    set: str
    labels: str
    ap: tuple[float, ...]
    found: tuple[NDArray[np.bool_], ...] = ()

    @property
    def mean(self) -> float:
        """Mean AP over draws."""
        return float(np.mean(self.ap))


@dataclass(frozen=True)
class Views:
    """Size, look and folded tilt of the particles that count, of one set, ``(n,)`` each."""

    protein: str
    extent: NDArray[np.float64]
    hollow: NDArray[np.float64]
    tilt: NDArray[np.float64]


@dataclass(frozen=True)
class TrainingSet:
    """Everything that the tables need.

    Parameters
    ----------
    cells
        By start, set and count of labels.
    others
        Sets that lie outside the protocol: the development data.
    """

    cells: Mapping[tuple[str, str, str], Cell]
    limits: Mapping[str, Limit]
    views: Mapping[str, Views]
    others: Sequence[str] = field(default_factory=tuple)

    @property
    def starts(self) -> list[str]:
        """Every start model, in the order they were given."""
        return list(dict.fromkeys(start for start, _, _ in self.cells))

    def sets(self, start: str, labels: str) -> list[str]:
        """Return the protocol's sets that have results."""
        return [s for (b, s, n) in self.cells if (b, n) == (start, labels) and s not in self.others]

    def gap(self, start: str, name: str, labels: str) -> float:
        """Return how far a set's AP is below its own ceiling: that of all labels; NaN without."""
        top, here = self.cells.get((start, name, "all")), self.cells.get((start, name, labels))
        return top.mean - here.mean if top is not None and here is not None else NAN

    def bins(self, start: str, protein: str, labels: str) -> list[Bin]:
        """Return recall by projected extent of a protein, its noise laws pooled.

        Empty where one of them has no result: bins are always of the same particles.
        """
        names = [n for n, v in self.views.items() if v.protein == protein and n in self.limits]
        cells = [self.cells.get((start, n, labels)) for n in names]
        have = [(n, c) for n, c in zip(names, cells, strict=True) if c is not None and c.found]
        if not have or len(have) < len(names):
            return []
        draws = min(len(c.found) for _, c in have)
        return binned_recall(
            np.concatenate([self.views[n].extent for n, _ in have]),
            np.concatenate([self.views[n].hollow for n, _ in have]),
            np.concatenate([self.views[n].tilt for n, _ in have]),
            [np.concatenate([c.found[k] for _, c in have]) for k in range(draws)],
            np.concatenate([self.limits[n].found for n, _ in have]),
        )

    @property
    def proteins(self) -> list[str]:
        """Every protein of the protocol, in the order of the sets."""
        return list(dict.fromkeys(v.protein for v in self.views.values()))


def gather(
    results: Sequence[Result],
    starts: Sequence[str],
    sets: Mapping[str, UnseenSet],
    filters: Mapping[str, dict[str, Any]],
    picks: Callable[[str], Path],
    others: Sequence[str] = (),
) -> TrainingSet:
    """Read the picks of every result and match them.

    Parameters
    ----------
    starts
        Tags of start models, in the order of the table.
    filters
        Results of the matched filter by set.
    picks
        Folder of the kept picks of a set.
    """
    limits, views = {}, {}
    for name, one in sets.items():
        if name in filters:
            matched = _match(one, as_picks(filters[name]["picks"]))
            limits[name] = Limit(filters[name]["ap"], found(matched))
            rows = matched.particles.row
            views[name] = Views(
                one.protein,
                one.extent[rows],
                one.hollow[rows],
                folded_tilt(matched.particles),
            )
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for start in starts:
        for r in results:
            known = r["set"] in sets or r["set"] in others
            if r["start"] == start and r["kind"] == "main" and known:
                groups.setdefault((start, r["set"], r["labels"]), []).append(r)
    cells = {}
    for (start, name, labels), some in groups.items():
        hits = []
        for r in some:
            stem = f"{name}-{labels}-d{r['draw']}-main-{start}-{r['code']}"
            path = picks(name) / f"{stem}.csv"
            if name in sets and path.exists():
                hits.append(found(_match(sets[name], read_picked(path).picks)))
        kept = tuple(hits) if len(hits) == len(some) else ()
        cells[start, name, labels] = Cell(
            start, name, labels, tuple(float(r["ap"]) for r in some), kept
        )
    return TrainingSet(cells, limits, views, tuple(others))


def _match(one: UnseenSet, picks: Mapping[str, Any]) -> Matched:
    test = one.data.test
    return match_picks(picks, test.truth, test.names, test.shape, one.data.diameter_px)
