"""Whether the particles of a pruning job are dark or light, from some of its images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from frostpick.errors import MicrographError, counted
from frostpick.images import PixelSizes
from frostpick.picking.read import read_with_pixel_size
from frostpick.preprocess import contrast_vote, decide_contrast, working_scale
from frostpick.preprocess.contrast import contradicts, told_votes, warn_of_contrast
from frostpick.pruning.boxes import BATCH
from frostpick.pruning.groups import Group, PickGroup, StackGroup
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prune import is_light, prepare_group
from frostpick.runtime.reporter import Reporter
from frostpick.types import MicrographSource, at_hand

log = logging.getLogger(__name__)

#: Most groups looked at, spread over the job, and most boxes of a stack.
SAMPLE, BOXES = 8, BATCH


def settle_prune_contrast(
    groups: Sequence[Group], plan: PrunePlan, reporter: Reporter
) -> PrunePlan:
    """Return the plan with ``auto`` contrast decided; any other plan unchanged.

    The vote of a micrograph is that of picking; of a stack, the mean vote of its boxes. Where
    they clearly contradict what is assumed of micrographs or of stacks, that is told; nothing
    is downloaded for it.
    """
    # not `evenly_spread`, whose groups would be others: their votes decide what is written
    step = max(1, len(groups) // SAMPLE)
    votes: list[float] = []
    looked: list[Group] = []
    for group in groups[::step][:SAMPLE]:
        reporter.check()
        if plan.contrast != "auto" and not at_hand(_source(group)):
            continue
        try:
            votes.append(_vote(group, plan))
        except MicrographError as error:
            if plan.contrast == "auto":  # else it is told when it is scored
                log.warning("contrast: %s is left out (%s)", group.name, error.reason)
            continue
        looked.append(group)
    if plan.contrast == "auto":
        found = decide_contrast(votes)
        return replace(plan, contrast=found, stack_contrast=found)
    _doubt(looked, votes, plan)
    return plan


def _doubt(groups: Sequence[Group], votes: Sequence[float], plan: PrunePlan) -> None:
    for assumed in ("dark", "light"):
        own = [v for g, v in zip(groups, votes, strict=True) if _assumed(g, plan) == assumed]
        boxes = any(isinstance(g, StackGroup) and _assumed(g, plan) == assumed for g in groups)
        if not contradicts(own, assumed, single=not boxes):
            continue
        what = "stack" if boxes else "micrograph"
        default = boxes and plan.stack_contrast is None and assumed == "light"
        warn_of_contrast(
            assumed,
            f"votes of {counted(len(own), what)}, above 0 for light: {told_votes(own)}",
            " (extraction makes them so by inverting the contrast)" if default else "",
        )


def _source(group: Group) -> MicrographSource:
    return group.stack.source if isinstance(group, StackGroup) else group.micrograph.source


def _assumed(group: Group, plan: PrunePlan) -> Literal["dark", "light"]:
    if isinstance(group, StackGroup):
        return "light" if is_light(group.stack, plan) else "dark"
    return "light" if plan.contrast == "light" else "dark"


def _vote(group: Group, plan: PrunePlan) -> float:
    scale = plan.geometry.px_per_diameter
    if isinstance(group, PickGroup):
        sizes = PixelSizes(plan.pixel_size_A, quiet=plan.contrast != "auto")
        image, pixel = read_with_pixel_size(group.micrograph, sizes)
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
