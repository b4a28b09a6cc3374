"""Whether the particles of a pruning job are dark or light, from some of its images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from frostpick.errors import MicrographError
from frostpick.images import PixelSizes
from frostpick.picking.read import read_with_pixel_size
from frostpick.preprocess import contrast_vote, decide_contrast, working_scale
from frostpick.pruning.boxes import BATCH
from frostpick.pruning.groups import Group, PickGroup
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prune import prepare_group
from frostpick.runtime.reporter import Reporter

log = logging.getLogger(__name__)

#: Most groups looked at, spread over the job, and most boxes of a stack.
SAMPLE, BOXES = 8, BATCH


def settle_prune_contrast(
    groups: Sequence[Group], plan: PrunePlan, reporter: Reporter
) -> PrunePlan:
    """Return the plan with ``auto`` contrast decided; any other plan unchanged.

    The vote of a micrograph is that of picking; of a stack, the mean vote of its boxes.
    """
    if plan.contrast != "auto":
        return plan
    # not `spread`, whose groups would be others: their votes decide what is written
    step = max(1, len(groups) // SAMPLE)
    votes = []
    for group in groups[::step][:SAMPLE]:
        reporter.check()
        try:
            votes.append(_vote(group, plan))
        except MicrographError as error:
            log.warning("contrast: %s is left out (%s)", group.name, error.reason)
    found = decide_contrast(votes)
    return replace(plan, contrast=found, stack_contrast=found)


def _vote(group: Group, plan: PrunePlan) -> float:
    scale = plan.geometry.px_per_diameter
    if isinstance(group, PickGroup):
        image, pixel = read_with_pixel_size(group.micrograph, PixelSizes(plan.pixel_size_A))
        working = working_scale(
            image.data,
            pixel,
            plan.geometry.diameter_A,
            px_per_diameter=scale,
            micrograph_id=group.name,
        )
        return contrast_vote(working.data, scale)
    few = group.keep(np.arange(min(BOXES, len(group))))
    boxes = prepare_group(few, replace(plan, stack_contrast="dark")).boxes
    votes = [contrast_vote(box, scale) for box in boxes.data[boxes.usable]]
    return float(torch.tensor(votes).mean()) if votes else 0.0
