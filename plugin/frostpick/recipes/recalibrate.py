"""Calibrate a model by the user's labels alone, whatever taught it.

Picks that became labels were chosen for their scores, so they are no random draw of the
particles: a calibration fitted to them would be too sure of itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from frostpick.errors import InputError, LabelError
from frostpick.inference.calibration import calibrated
from frostpick.inference.calibration_fit import fit_calibration
from frostpick.inference.selector import Selector
from frostpick.inference.threshold import choose_threshold
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.reporter import Reporter
from frostpick.training.course import COUNTED, FLOOR
from frostpick.training.gather import Reading, gather
from frostpick.training.measure import find_in, joined
from frostpick.training.tuned_calibration import known_before_data
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)


def recalibrate(
    model: PickingModel,
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    *,
    start: PickingModel | None,
    expected: float,
    pixel_size_A: float | None,
    device: torch.device,
    spool: Path,
    reporter: Reporter,
) -> PickingModel:
    """Return the model with slope, offset and threshold fitted to labels.

    Parameters
    ----------
    micrographs
        At most 32 labelled ones of them are picked.
    labels
        A random draw of the particles. Without a usable one the model is returned as it is.
    start
        The model that the training began with: a fine-tuned network's calibration is known
        more closely before the labels are looked at.
    expected
        Mean particles on a micrograph.
    """
    card = model.card
    labelled = [m for m in micrographs if m.id in labels and len(labels[m.id])][:COUNTED]
    if not labelled or card.diameter_A is None:
        return model
    reading = Reading(
        card.diameter_A, pixel_size_A, card.px_per_diameter, card.preprocess, card.contrast, spool
    )
    try:
        gathered = gather(labelled, labels, reading, reporter, device)
    except (InputError, LabelError) as error:
        log.warning("the calibration stays as it is: %s", error)
        return model
    images = [image for image in gathered.images if len(image.particles_yx)]
    network = model.network.to(device)
    found = joined(
        [
            find_in(
                network,
                image,
                image.whole,
                px_per_diameter=card.px_per_diameter,
                min_distance=card.min_distance,
                floor=FLOOR,
                device=device,
                selector=Selector.of(card),
            )
            for image in images
        ]
    )
    count = sum(len(image.particles_yx) for image in images)
    rate = count / max(1.0, expected * len(images))
    known = known_before_data(start, sum(int((one.sign > 0).sum()) for one in labels.values()))
    calibration = fit_calibration(
        found.logit, found.matched, rate, fitted_on="training labels", **known
    )
    threshold = choose_threshold(calibrated(found.logit, calibration), "auto")
    card = card.model_copy(update={"calibration": calibration, "threshold": threshold})
    return PickingModel(card, network.cpu())
