"""Where everything lies: no particle under a crystal, on carbon or too near another one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

_TRIES = 60


@dataclass(frozen=True)
class CarbonEdge:
    """The edge of a hole in the carbon film: all beyond a circle is carbon, in pixels."""

    x_px: float
    y_px: float
    radius_px: float

    def depth_px(self, x: Float | float, y: Float | float) -> Float:
        """Return how deep in the carbon a place is; negative in the hole."""
        return np.asarray(np.hypot(x - self.x_px, y - self.y_px) - self.radius_px)


def random_carbon_edge(rng: np.random.Generator, size: int) -> CarbonEdge:
    """Return an edge that covers roughly a twentieth to a quarter of a square micrograph."""
    angle = rng.uniform(-np.pi, np.pi)
    direction = np.array([np.cos(angle), np.sin(angle)])
    radius = rng.uniform(0.8, 2.0) * size
    # a corner is farther away than a side, so leave the same band inside it
    half = 0.5 * size * np.abs(direction).sum()
    nearest = half - size * rng.uniform(0.12, 0.32)
    x, y = 0.5 * (size - 1) + direction * (nearest - radius)
    return CarbonEdge(float(x), float(y), float(radius))


@dataclass
class Ground:
    """The free ground of one micrograph, filled step by step.

    Parameters
    ----------
    size
        Side of the micrograph in pixels.
    carbon
        Nothing is put on it.
    """

    size: int
    carbon: CarbonEdge | None = None
    _circles: list[tuple[float, float, float]] = field(default_factory=list)

    def take(self, x: float, y: float, radius_px: float) -> None:
        """Mark a disc as occupied."""
        self._circles.append((x, y, radius_px))

    def is_free(self, x: float, y: float, radius_px: float) -> bool:
        """Tell whether a disc touches neither carbon nor an occupied disc."""
        if self.carbon is not None:
            if self.carbon.depth_px(x, y) > -radius_px:
                return False
        return all(np.hypot(x - cx, y - cy) >= radius_px + r for cx, cy, r in self._circles)

    def find(self, rng: np.random.Generator, radius_px: float) -> tuple[float, float] | None:
        """Return a free place for a disc and occupy it, or None when there is none."""
        for _ in range(_TRIES):
            x, y = rng.uniform(0, self.size - 1, 2)
            if self.is_free(x, y, radius_px):
                self.take(x, y, radius_px)
                return float(x), float(y)
        return None


def place_particles(
    rng: np.random.Generator,
    ground: Ground,
    count: int,
    diameter_px: float,
    *,
    spacing: float,
    crowding: float,
) -> Float:
    """Return the centres of up to ``count`` particles.

    Parameters
    ----------
    ground
        What is taken already; particles keep half a diameter away from it.
    diameter_px
        Of the particle, in pixels.
    spacing
        Smallest distance between two centres, in diameters.
    crowding
        Fraction that is put beside an earlier particle, at 1 to 1.4 times that distance.

    Returns
    -------
    ndarray
        ``(n, 2)`` float64, column and row; fewer than ``count`` when the ground is full.
    """
    nearest = spacing * diameter_px
    placed = np.zeros((count, 2))
    n = 0
    for _ in range(count):
        for _ in range(_TRIES):
            if n and rng.random() < crowding:
                angle = rng.uniform(-np.pi, np.pi)
                away = nearest * rng.uniform(1.0, 1.4)
                x, y = placed[rng.integers(n)] + away * np.array([np.cos(angle), np.sin(angle)])
            else:
                x, y = rng.uniform(0, ground.size - 1, 2)
            if not (0 <= x <= ground.size - 1 and 0 <= y <= ground.size - 1):
                continue
            if n and np.hypot(placed[:n, 0] - x, placed[:n, 1] - y).min() < nearest:
                continue
            if ground.is_free(x, y, 0.5 * diameter_px):
                placed[n] = x, y
                n += 1
                break
    return placed[:n]
