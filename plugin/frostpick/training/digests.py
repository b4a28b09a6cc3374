"""Digests of labels and of picks: what an unfinished training depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Labels, Picks


def labels_digest(labels: Mapping[str, Labels]) -> str:
    """Return a digest over the positions and signs of all labels."""
    return _digest(
        (f"{name}|{len(one)}|{one.complete}|", (one.x_px, one.y_px, one.sign))
        for name, one in sorted(labels.items())
    )


def picks_digest(picks: Mapping[str, Picks]) -> str:
    """Return a digest over the positions and probabilities of all picks."""
    return _digest(
        (f"{name}|{len(one)}|", (one.x_px, one.y_px, one.probability))
        for name, one in sorted(picks.items())
    )


def _digest(parts: Iterable[tuple[str, Sequence[NDArray[Any]]]]) -> str:
    total = hashlib.sha256()
    for text, columns in parts:
        total.update(text.encode())
        for column in columns:
            total.update(np.ascontiguousarray(column).tobytes())
    return total.hexdigest()
