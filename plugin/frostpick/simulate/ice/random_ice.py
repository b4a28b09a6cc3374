"""What a micrograph's ice has in it and on it; most have little or nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from frostpick.simulate.camera.conditions import Conditions
from frostpick.simulate.ice.contamination import draw_drops, draw_leopard_skin, draw_steps
from frostpick.simulate.ice.films import draw_crystalline_ice, draw_plates
from frostpick.simulate.ice.foils import draw_beam_edge, draw_support
from frostpick.simulate.ice.layers import Layers, draw_crystals, draw_specks, draw_thick_ice

#: Share of the micrographs that has each, and what draws it; each on its own.
_KINDS: tuple[tuple[float, Callable[[np.random.Generator, Layers, Conditions], None]], ...] = (
    (0.055, draw_crystalline_ice),
    (0.02, draw_leopard_skin),
    (0.03, draw_plates),
    (0.07, draw_drops),
    (0.03, draw_steps),
)


def draw_ice(
    rng: np.random.Generator, layers: Layers, conditions: Conditions, *, often: float = 1.0
) -> None:
    """Draw support, thick and crystalline ice, plates, frost, ethane and dirt, or mostly nothing.

    Parameters
    ----------
    rng, layers, conditions
        Random numbers, the canvases to draw into, and the scale.
    often
        Factor of the share of micrographs that have each kind of bad ice.
    """
    draw_support(rng, layers, conditions)
    draw_thick_ice(rng, layers, conditions, often=often)
    draw_specks(rng, layers, conditions)
    draw_crystals(rng, layers, conditions)
    for share, draw in _KINDS:
        if rng.random() < share * often:
            draw(rng, layers, conditions)
    draw_beam_edge(rng, layers, conditions)
