"""The true particles of a micrograph, and which of them do not count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.types import Labels, Picks

#: What picks near the border are that lie on no particle: left out, or false.
Border = Literal["ignored", "scored"]


@dataclass(frozen=True)
class Truth:
    """Every particle of one micrograph.

    Parameters
    ----------
    micrograph_id
        `frostpick.types.Micrograph.id`.
    x_px, y_px
        ``(n,)`` float64, column and row of the centres in full-resolution pixels.
    edge
        ``(n,)`` bool, particles that are cut by the border: a pick on one is neither
        right nor wrong, and a missed one is not missed.
    """

    micrograph_id: str
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    edge: NDArray[np.bool_]

    @classmethod
    def from_xy(
        cls,
        micrograph_id: str,
        x_px: ArrayLike,
        y_px: ArrayLike,
        *,
        edge: ArrayLike | None = None,
        diameter_px: float | None = None,
        shape: tuple[int, int] | None = None,
    ) -> Truth:
        """Build from centres; without ``edge`` it is found from diameter and shape.

        Without both of them no particle counts as cut by the border.

        Raises
        ------
        ValueError
            The columns differ in length or hold a value that is not finite.
        """
        x = np.array(x_px, np.float64, ndmin=1)
        y = np.array(y_px, np.float64, ndmin=1)
        if edge is not None:
            cut = np.array(edge, np.bool_, ndmin=1)
        elif diameter_px is not None and shape is not None:
            cut = border_distance(x, y, shape) < diameter_px / 2
        else:
            cut = np.zeros(x.shape, np.bool_)
        if not x.shape == y.shape == cut.shape or x.ndim != 1:
            raise ValueError(
                f"{micrograph_id}: truth columns of shapes {x.shape}, {y.shape}, {cut.shape}; "
                "expected three of one length"
            )
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError(f"{micrograph_id}: a true position is not finite")
        return cls(micrograph_id, x, y, cut)

    @classmethod
    def of(
        cls, picks: Picks, diameter_px: float | None = None, shape: tuple[int, int] | None = None
    ) -> Truth:
        """Take picks or positive labels as the truth; see `from_xy` for the border."""
        kept = picks.keep(picks.sign > 0) if isinstance(picks, Labels) else picks
        return cls.from_xy(
            kept.micrograph_id, kept.x_px, kept.y_px, diameter_px=diameter_px, shape=shape
        )

    def __len__(self) -> int:
        return len(self.x_px)


def border_distance(
    x_px: NDArray[np.float64], y_px: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the distance of points to the nearest outermost pixel centre, ``(n,)`` px."""
    rows, columns = shape
    nearest: NDArray[np.float64] = np.minimum(
        np.minimum(x_px, columns - 1 - x_px), np.minimum(y_px, rows - 1 - y_px)
    )
    return nearest


def not_counted(
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    truth: Truth,
    diameter_px: float,
    shape: tuple[int, int] | None,
    border: Border,
) -> NDArray[np.bool_]:
    """Return which places would be neither right nor wrong without a particle, ``(n,)`` bool.

    Parameters
    ----------
    x_px, y_px
        ``(n,)`` column and row of picks of one micrograph.
    truth
        Its particles.
    diameter_px
        Diameter of the particle in pixels.
    shape
        Rows and columns of the micrograph; without it nothing is near its border.
    border
        ``ignored``: all nearer than a radius to the border. ``scored``: all nearer than a
        radius to the centre of a particle that is cut by it, for what is left of such a one
        has its middle elsewhere.
    """
    if border == "ignored":
        if shape is None:
            return np.zeros(x_px.shape, np.bool_)
        return np.asarray(border_distance(x_px, y_px, shape) < diameter_px / 2)
    dx = x_px[:, None] - truth.x_px[truth.edge]
    dy = y_px[:, None] - truth.y_px[truth.edge]
    return np.asarray((np.hypot(dx, dy) < diameter_px / 2).any(1))
