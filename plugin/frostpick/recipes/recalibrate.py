"""Calibrate a round's model as a training does, by the user's labels and not by mined ones.

Picks that became labels were chosen for their scores, so they are no random draw of the
particles: a calibration fitted to them would be too sure of itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from frostpick.errors import InputError, LabelError
from frostpick.inference.calibration import calibrated
from frostpick.inference.selector import Selector
from frostpick.inference.threshold import choose_threshold
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.reporter import Reporter
from frostpick.training.gather import Reading, gather
from frostpick.training.measure import looking, some
from frostpick.training.prior import packing_limit
from frostpick.training.score_fit import fit_scores
from frostpick.training.soft_picks import SoftPicks
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)


def recalibrate(
    model: PickingModel,
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    *,
    start: PickingModel | None,
    sharpness: float,
    expected: float,
    pixel_size_A: float | None,
    device: torch.device,
    spool: Path,
    reporter: Reporter,
) -> PickingModel:
    """Return the model with slope, offset and threshold fitted anew.

    Parameters
    ----------
    micrographs
        At most 32 of them, and at most 32 labelled ones, are picked.
    labels
        A random draw of the particles. Where none can be used the picks of the start
        decide; without a start the model is returned as it is.
    start
        The model that the training began with: its picks, and what is known of a
        fine-tuned network's calibration, count as in `frostpick.training.score_fit`.
    sharpness
        Of `frostpick.training.soft_picks.SoftPicks`.
    expected
        Mean particles on a micrograph, where not one label is found again.
    """
    card = model.card
    labelled = some([m for m in micrographs if m.id in labels and (labels[m.id].sign > 0).any()])
    if card.diameter_A is None or not (labelled or start):
        return model
    usual = some(micrographs)
    wanted = {m.id for m in labelled} | ({m.id for m in usual} if start else set())
    reading = Reading(
        card.diameter_A, pixel_size_A, card.px_per_diameter, card.preprocess, card.contrast, spool
    )
    try:
        gathered = gather(
            [m for m in micrographs if m.id in wanted], labels, reading, reporter, device
        )
    except (InputError, LabelError) as error:
        log.warning("the calibration stays as it is: %s", error)
        return model
    read = {image.micrograph_id: image for image in gathered.images}
    known = [read[m.id] for m in labelled if m.id in read and len(read[m.id].particles_yx)]
    particles = sum(int((one.sign > 0).sum()) for one in labels.values())
    network = model.network.to(device)
    px = card.px_per_diameter
    fit = fit_scores(
        looking(
            network,
            px_per_diameter=px,
            min_distance=card.min_distance,
            device=device,
            # as a training looks at its images: the highest places, not yet centred
            selector=replace(Selector.of(card), flat_tops=False),
        ),
        [read[m.id] for m in usual if m.id in read],
        known,
        labels=particles if known else 0,
        start=start,
        soft=SoftPicks(start, sharpness, device) if start else None,
        px_per_diameter=px,
        otherwise=expected,
        most=packing_limit(gathered.images, px),
    )
    threshold = choose_threshold(calibrated(fit.logit, fit.calibration), "auto")
    card = card.model_copy(update={"calibration": fit.calibration, "threshold": threshold})
    return PickingModel(card, network.cpu())
