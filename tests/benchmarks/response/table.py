"""Medians by kind and size, the range of sizes that a model answers, and their text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from accuracy.text_table import MISSING, markdown, number
from numpy.typing import NDArray

#: Median scores are to be at least `WANTED` from the first to the second size, in diameters.
WANTED, TARGET = 0.0, (0.45, 1.15)

#: Scores of every object by kind and size.
Scores = Mapping[tuple[str, float], NDArray[np.float64]]


@dataclass(frozen=True)
class Answer:
    """What one model said to lone objects, or to those among neighbours."""

    model: str
    neighbours: bool
    scores: Scores

    def curve(self, kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sizes of a kind, rising, and the median score at each."""
        sizes = sorted(size for one, size in self.scores if one == kind)
        return np.array(sizes), np.array([np.median(self.scores[kind, s]) for s in sizes])

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds in the order they came."""
        return tuple(dict.fromkeys(kind for kind, _ in self.scores))


def answered(sizes: Sequence[float], medians: Sequence[float]) -> tuple[float, float] | None:
    """Return the first and last size of the longest unbroken run of medians >= `WANTED`."""
    best: tuple[int, int] | None = None
    first = 0
    for k, good in enumerate([*(m >= WANTED for m in medians), False]):
        if not good:
            if k > first and (best is None or k - first > best[1] - best[0] + 1):
                best = (first, k - 1)
            first = k + 1
    return None if best is None else (sizes[best[0]], sizes[best[1]])


def reached(answer: Answer, kinds: Sequence[str]) -> tuple[int, int, tuple[str, float, float]]:
    """Return how many medians in the target's sizes are good, of how many, and the worst.

    The worst is its kind, its size and its median.
    """
    medians = [
        (kind, size, float(np.median(values)))
        for (kind, size), values in answer.scores.items()
        if kind in kinds and TARGET[0] <= size <= TARGET[1]
    ]
    good = sum(median >= WANTED for _, _, median in medians)
    return good, len(medians), min(medians, key=lambda one: one[2])


def response_table(answers: Sequence[Answer], kinds: Sequence[str]) -> str:
    """Return a row a kind, model and surroundings; a cell holds median and share with P > .5."""
    sizes = sorted({size for one in answers for _, size in one.scores})
    header = ["object", "model", "neighbours", *(f"{s:.2f}" for s in sizes), "median >= 0"]
    rows = []
    for kind in kinds:
        for one in answers:
            cells = []
            for size in sizes:
                values = one.scores.get((kind, size), np.zeros(0))
                share = number(float(np.mean(values > 0)), 2).removeprefix("0")
                text = f"{np.median(values):+.1f} {share}" if len(values) else MISSING
                cells.append(text)
            run = answered(*one.curve(kind))
            text = MISSING if run is None else f"{run[0]:.2f} to {run[1]:.2f}"
            rows.append([kind, one.model, "with" if one.neighbours else "without", *cells, text])
    return markdown(header, rows)


def target_lines(answers: Sequence[Answer], kinds: Sequence[str]) -> str:
    """Return how far each model is from the target, a line a model and surroundings."""
    lines = [f"Target: median score >= 0 from {TARGET[0]} to {TARGET[1]} diameters"]
    for one in answers:
        good, total, (kind, size, median) = reached(one, kinds)
        where = "with" if one.neighbours else "without"
        lines.append(
            f"- {one.model}, {where} neighbours: {good} of {total} medians; "
            f"worst {median:+.1f}, {kind} of {size:g} diameters"
        )
    return "\n".join(lines)
