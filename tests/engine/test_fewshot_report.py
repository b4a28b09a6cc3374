"""The pictures of a few-shot training can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from frostpick.picking.selectors.density_cut import DensityCut
from frostpick.report import fewshot


@pytest.mark.parametrize(("low", "high"), [(6e-5, 4e-4), (1e-5, 1e-2)])
def test_distances_are_plain_numbers(
    monkeypatch: pytest.MonkeyPatch, low: float, high: float
) -> None:
    told: list[str] = []
    whole = fewshot.finished

    def seen(canvas: Any, *others: Any) -> Any:
        FigureCanvasAgg(canvas).draw()
        (axes,) = canvas.axes
        for ticks in (axes.get_yticklabels(), axes.get_yticklabels(minor=True)):
            told.extend(label.get_text() for label in ticks if label.get_text())
        return whole(canvas, *others)

    monkeypatch.setattr(fewshot, "finished", seen)
    score, distance = np.linspace(0.3, 1.0, 50), np.geomspace(low, high, 50)
    picture = fewshot.density_curve(DensityCut(0.7, "density", score, distance), "a.mrc")
    assert picture.png.startswith(b"\x89PNG")
    # mathematics would be no number
    values = [float(text.replace("\N{MINUS SIGN}", "-")) for text in told]
    assert sum(low <= value <= high for value in values) >= 2
