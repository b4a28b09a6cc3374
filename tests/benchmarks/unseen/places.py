"""Where on a micrograph particles lie: apart, or one beside the other, never on junk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

#: Fraction of the particles that are put beside another one.
CROWDED = 0.3
#: Least distance of two particles as a share of the sum of their radii; crowded ones lie
#: between the two values.
NEAREST, CROWDED_TO = 0.72, 1.0
#: Least distance in diameters whatever the views: nearer ones nobody would tell apart.
APART = 0.6
TRIES = 60


def place(
    rng: np.random.Generator,
    radii_px: Float,
    shape: tuple[int, int],
    blocked: NDArray[np.bool_],
    diameter_px: float = 0.0,
    taken: Float | None = None,
) -> tuple[Float, NDArray[np.int64]]:
    """Find places for objects one after the other; those without a free one are left out.

    Parameters
    ----------
    radii_px
        ``(n,)`` half the longest dimension of each object's view.
    blocked
        ``shape`` bool, where no centre may be.
    diameter_px
        Stated diameter, for `APART`.
    taken
        ``(m, 3)`` column, row and radius of what is there already.

    Returns
    -------
    tuple
        ``(k, 2)`` column and row, all inside the image, and ``(k,)`` which of the objects each is.
    """
    there = np.zeros((0, 3)) if taken is None else taken
    found: list[tuple[float, float]] = []
    which: list[int] = []
    for number, radius in enumerate(radii_px):
        for _ in range(TRIES):
            if len(there) and rng.random() < CROWDED:
                beside = there[rng.integers(len(there))]
                angle = rng.uniform(0, 2 * np.pi)
                distance = rng.uniform(NEAREST, CROWDED_TO) * (beside[2] + radius)
                distance = max(distance, rng.uniform(APART, 1.2 * APART) * diameter_px)
                x, y = beside[0] + distance * np.cos(angle), beside[1] + distance * np.sin(angle)
            else:
                x, y = rng.uniform(0, shape[1] - 1), rng.uniform(0, shape[0] - 1)
            if not (0 <= x <= shape[1] - 1 and 0 <= y <= shape[0] - 1):
                continue
            if blocked[round(y), round(x)]:
                continue
            away = np.hypot(there[:, 0] - x, there[:, 1] - y)
            least = np.maximum(NEAREST * (there[:, 2] + radius), APART * diameter_px)
            if np.all(away >= least):
                there = np.vstack([there, [x, y, radius]])
                found.append((x, y))
                which.append(number)
                break
    return np.array(found, float).reshape(-1, 2), np.array(which, np.int64)
