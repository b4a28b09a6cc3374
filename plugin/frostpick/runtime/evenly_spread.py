"""A few of many, spread over the set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np

T = TypeVar("T")


def evenly_spread(
    items: Sequence[T], count: int, at: Literal["middles", "starts", "ends"] = "middles"
) -> list[T]:
    """Return ``count`` items, evenly spread, in order; or all where there are no more.

    Parameters
    ----------
    at
        Where they lie: in the middles or at the starts of ``count`` equal parts, or from the
        first item to the last. Which one was taken decides votes and calibrations, so that a
        caller does not change it without changing results.
    """
    n = len(items)
    if count >= n:
        return list(items)
    if at == "ends":
        return [items[k] for k in np.linspace(0, n - 1, count).round().astype(int).tolist()]
    if at == "starts":
        return [items[i * n // count] for i in range(count)]
    return [items[(2 * i + 1) * n // (2 * count)] for i in range(count)]
