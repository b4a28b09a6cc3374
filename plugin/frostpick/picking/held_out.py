"""Recall by labels that a training held out: the share of them that is picked at a cut.

The sum of a model's own probabilities stands for the particles that the model can see. A view
that it misses has no part in that sum, so that recall by it says nothing of such a view; labels
that somebody else made, and that did not train, do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

#: Where no label was held out, recall is only this.
VISIBLE = "recall of what the model can see"
#: Name of the entry of a model's card, in ``trained_on``.
ENTRY = "held_out_labels"
#: Part of the draws that an interval holds.
LEVEL = 0.95


@dataclass(frozen=True)
class Recall:
    """Labels found of those held out, with an interval of 95 %."""

    found: int
    labels: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The recall."""
        return self.found / self.labels

    def __str__(self) -> str:
        """Return the recall with its interval."""
        return f"{self.share:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class HeldOutLabels:
    """What a model scores labels that did not train it.

    Parameters
    ----------
    score
        ``(n,)`` float64 of the pick on each label, -inf where there is none; at least one.
    """

    score: NDArray[np.float64]

    @property
    def title(self) -> str:
        """The words for recall by these labels."""
        return f"recall of {len(self.score)} held-out labels"

    def recall(self, cut: float) -> Recall:
        """Return the recall at a cut.

        The interval is Jeffreys', from the Beta distribution of half a label more on either
        side, with 0 and 1 at the ends (Brown, Cai and DasGupta, Stat. Sci. 16, 101, 2001).
        """
        n, found = len(self.score), int((self.score >= cut).sum())
        tail = (1 - LEVEL) / 2
        low = float(betaincinv(found + 0.5, n - found + 0.5, tail)) if found else 0.0
        high = float(betaincinv(found + 0.5, n - found + 0.5, 1 - tail)) if found < n else 1.0
        return Recall(found, n, low, high)

    def as_entry(self) -> dict[str, Any]:
        """Return the entry of a card: how many labels, and the scores of those found, best first.

        Three decimals, downwards: what reaches a cut in the card has reached it.
        """
        found = np.sort(self.score[np.isfinite(self.score)])[::-1]
        scores = [math.floor(one * 1000) / 1000 for one in found.tolist()]
        return {"labels": len(self.score), "scores": scores}


def held_out_of(trained_on: Mapping[str, Any]) -> HeldOutLabels | None:
    """Return the held-out labels of a card's ``trained_on``; None where it has none."""
    entry = trained_on.get(ENTRY)
    if not isinstance(entry, Mapping) or not entry.get("labels"):
        return None
    scores = np.full(int(entry["labels"]), -np.inf)
    known = np.asarray(entry.get("scores", ()), np.float64)[: len(scores)]
    scores[: len(known)] = known
    return HeldOutLabels(scores)
