"""The picks of one micrograph, for a script or a notebook."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from frostpick.notebook import html_table
from frostpick.types import Picks

if TYPE_CHECKING:
    from frostpick.report.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Picked:
    """All picks above the floor on one micrograph, best first, and which of them are selected.

    Parameters
    ----------
    picks
        As a table; its columns are properties here.
    threshold
        In score units, of this micrograph.
    shape
        Rows and columns of the micrograph.
    pixel_size_A
        Its pixel size in Angstrom.
    seconds
        Wall time by step.
    image
        Gives the pixels again, for a picture; an array is kept with its picks.
    """

    picks: Picks
    threshold: float
    shape: tuple[int, int]
    pixel_size_A: float
    seconds: Mapping[str, float] = field(repr=False)
    image: Callable[[], NDArray[np.float32]] = field(repr=False, compare=False)

    @property
    def micrograph_id(self) -> str:
        """Name of the micrograph."""
        return self.picks.micrograph_id

    @property
    def x_px(self) -> Floats:
        """``(n,)`` columns in pixels of the micrograph, 0-based pixel centres."""
        return self.picks.x_px

    @property
    def y_px(self) -> Floats:
        """``(n,)`` rows in pixels of the micrograph, 0-based pixel centres."""
        return self.picks.y_px

    @property
    def score(self) -> Floats:
        """``(n,)`` calibrated log-odds that a pick is a particle, falling."""
        return self.picks.score

    @property
    def probability(self) -> Floats:
        """``(n,)`` probabilities that a pick is a particle."""
        return self.picks.probability

    @property
    def selected(self) -> NDArray[np.bool_]:
        """``(n,)`` bool: selected by the threshold."""
        return self.picks.selected

    @property
    def diameter_A(self) -> float | None:
        """Longest dimension of the particle in Angstrom: as given, the model's, or found."""
        return self.picks.diameter_A

    def __len__(self) -> int:
        return len(self.picks)

    def best(self) -> Picks:
        """Return the selected picks alone."""
        return self.picks.keep(self.selected)

    def plot(self) -> Figure:
        """Draw the micrograph, made small, with the selected picks as circles.

        Returns
        -------
        Figure
            Shown by a notebook; ``save("picks.png")`` writes it. A file is read again for it.
        """
        import torch

        from frostpick.picking.preview import make_preview
        from frostpick.report.micrographs import picks_on_micrograph

        diameter_A = self.diameter_A or 0.02 * self.shape[1] * self.pixel_size_A
        diameter_px = diameter_A / self.pixel_size_A
        preview = make_preview(self.image(), diameter_px, torch.device("cpu"))
        return picks_on_micrograph(
            preview,
            self.x_px,
            self.y_px,
            self.score,
            self.selected,
            scale=preview.shape[1] / self.shape[1],
            diameter_px=diameter_px,
            title=self.micrograph_id,
            pixel_size_A=self.pixel_size_A,
            threshold=self.threshold,
        )

    def _repr_html_(self) -> str:
        """Return the numbers and the picture, as a notebook shows them."""
        figure = self.plot()
        png = base64.b64encode(figure.png).decode("ascii")
        rows = {
            "picks selected": f"{int(self.selected.sum())} of {len(self)}",
            "threshold": f"{self.threshold:.3f}",
            "diameter": f"{self.diameter_A:g} A" if self.diameter_A else None,
            "pixel size": f"{self.pixel_size_A:g} A",
        }
        picture = f'<img alt="{escape(figure.caption)}" src="data:image/png;base64,{png}" '
        return html_table(self.micrograph_id, rows) + picture + 'style="max-width: 40em">'
