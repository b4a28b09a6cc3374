"""What is known of a fine-tuned network's calibration before its labels are looked at."""

from __future__ import annotations

from frostpick.inference.calibration_fit import TUNED_FEW_SPREAD, TUNED_SLOPE, TUNED_SPREAD
from frostpick.models.picking_model import PickingModel
from frostpick.training.held_out import FEWEST


def known_before_data(start: PickingModel | None, labels: int) -> dict[str, float]:
    """Return what a calibration's fit is told beforehand.

    Parameters
    ----------
    start
        The model that the training began with; without one nothing is known.
    labels
        Number of known particles.

    Returns
    -------
    dict
        Arguments ``slope`` and ``offset_spread`` of
        `frostpick.inference.calibration_fit.fit_calibration`.
    """
    if start is None:
        return {}
    spread = TUNED_FEW_SPREAD if labels < FEWEST else TUNED_SPREAD
    return {"slope": TUNED_SLOPE, "offset_spread": spread}
