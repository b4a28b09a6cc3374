"""DeepEM's gate on the local deviation, from the labelled particles instead of by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.picking.deviation import GATE, relative_deviation
from frostpick.preprocess import WorkingImage
from frostpick.training.examples import Points, TrainingImage

#: Fewer labels than this leave the gate as it is.
FEWEST = 10
#: Fraction of the labels that is looked past at either end, and how much wider the gate is.
TAIL, MARGIN = 0.02, 1.25
#: Most labelled images looked at.
MOST = 32


def label_gate(images: Sequence[TrainingImage], px_per_diameter: float) -> dict[str, float]:
    """Return ``gate_low`` and ``gate_high`` around the deviations at labelled particles."""
    labelled = [image for image in images if len(image.particles_yx)][:MOST]
    found = [deviations_at(image, image.particles_yx, px_per_diameter) for image in labelled]
    ratio = np.concatenate(found) if found else np.zeros(0)
    low, high = GATE
    if len(ratio) >= FEWEST:
        low, high = np.quantile(ratio, (TAIL, 1 - TAIL)) * (1 / MARGIN, MARGIN)
    return {"gate_low": round(float(low), 3), "gate_high": round(float(high), 3)}


def deviations_at(image: TrainingImage, yx: Points, px_per_diameter: float) -> NDArray[np.float64]:
    """Return `relative_deviation` at ``(n, 2)`` places of an image, ``(n,)``."""
    pixels = torch.from_numpy(np.array(image.pixels))
    ratio = relative_deviation(WorkingImage(pixels, image.sampling), px_per_diameter)
    at = np.clip(np.round(yx), 0, np.array(pixels.shape) - 1).astype(int)
    values: NDArray[np.float64] = ratio.numpy()[at[:, 0], at[:, 1]].astype(np.float64)
    return values
