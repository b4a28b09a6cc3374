"""Why a box is rejected: what it looks like, where that is clear."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.models.pruner.box_network import CLASSES
from frostpick.types import REASONS

#: Reason by the class that a rejected box looks like; a particle has none.
REASON_OF_CLASS: Mapping[str, str] = {
    "fragment": "not particle",
    "aggregate": "aggregate",
    "carbon": "carbon",
    "ice": "ice",
    "speck": "not particle",
    "micelle": "not particle",
    "background": "not particle",
}
#: Probability from which a reason is named. At one half, of the rejected picks between the
#: particles of a crowded micrograph a quarter are still called aggregates.
CLEAR = 0.6


def likely_reasons(probability: ArrayLike) -> NDArray[np.int8]:
    """Return the reason of each box if it is rejected, ``(n,)`` index into `REASONS`.

    The reason whose classes have together at least `CLEAR`; ``low score`` where none has.

    Parameters
    ----------
    probability
        ``(n, classes)`` in the order of `CLASSES`, sum 1.
    """
    given = np.asarray(probability, np.float64)
    share = np.zeros((len(given), len(REASONS)))
    for number, name in enumerate(CLASSES):
        if name in REASON_OF_CLASS:
            share[:, REASONS.index(REASON_OF_CLASS[name])] += given[:, number]
    best = share.argmax(1)
    clear = share.max(1) >= CLEAR
    return np.where(clear, best, REASONS.index("low score")).astype(np.int8)
