"""The score a model gives to a place: its calibrated answer there, before picks are chosen.

The highest of the dense scores within a fifth of the diameter of the object's centre. The
suppression of neighbours and the lowering of a micrograph that seems empty are left out: the
curve is the network's and its calibration's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.models.picking_model import PickingModel
from frostpick.picking.calibration import calibrated
from frostpick.picking.inference import prepared_for_inference
from frostpick.picking.plan import plan_picking
from frostpick.picking.selector import Selector
from frostpick.preprocess import preprocess
from frostpick.runtime.device import resolve_device
from frostpick.settings import PickSettings

#: How far from the centre the highest score is taken, in diameters.
REACH = 0.2


class Scorer:
    """A model made ready once to score places on many micrographs.

    Parameters
    ----------
    diameter_A
        Diameter as it is stated.
    """

    def __init__(
        self, model: PickingModel, diameter_A: float, *, threads: int = 1, device: str = "cpu"
    ) -> None:
        settings = PickSettings(diameter=diameter_A, threads=threads, device=device)
        self.plan = plan_picking(model, settings)
        self.card = model.card
        self.selector = Selector.of(model.card)
        self.device = resolve_device(device)
        self.network = prepared_for_inference(model, self.device, self.plan.precision).network

    def at(
        self, image: NDArray[np.float32], pixel_A: float, x: ArrayLike, y: ArrayLike
    ) -> NDArray[np.float64]:
        """Return the scores at places ``(n,)``, in pixels; log-odds, float64."""
        working = preprocess(
            image,
            pixel_A,
            self.plan.scale_diameter_A,
            self.card.preprocess,
            px_per_diameter=self.card.px_per_diameter,
            contrast=self.plan.contrast,
            device=self.device,
        )
        scores = self.selector.map(self.network, working)
        logits = scores.logits.cpu().numpy()
        reach = REACH * self.plan.diameter_A / pixel_A
        step = np.asarray(scores.sampling.step_yx)
        wide = np.ceil(reach / step).astype(int)
        found = []
        for centre in np.column_stack([np.atleast_1d(y), np.atleast_1d(x)]).astype(np.float64):
            middle = np.rint(scores.sampling.from_parent(centre)).astype(int)
            low = np.maximum(middle - wide, 0)
            high = np.minimum(middle + wide + 1, logits.shape)
            cells = np.stack(np.mgrid[low[0] : high[0], low[1] : high[1]], axis=-1)
            away = np.linalg.norm(scores.sampling.to_parent(cells) - centre, axis=-1)
            window = logits[low[0] : high[0], low[1] : high[1]]
            found.append(window[away <= reach].max(initial=-np.inf))
        return calibrated(found, self.card.calibration)
