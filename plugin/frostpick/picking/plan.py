"""What a picking job does, decided once, before the first micrograph."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from frostpick.errors import ConfigError, MicrographError, option
from frostpick.images import PixelSizes
from frostpick.models.picking_model import PickingModel
from frostpick.picking.inference import choose_precision
from frostpick.picking.read import read_with_pixel_size
from frostpick.preprocess import contrast_vote, decide_contrast, working_scale
from frostpick.preprocess.contrast import contradicts, told_votes, warn_of_contrast
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.precision import Precision
from frostpick.runtime.reporter import Reporter
from frostpick.settings import Contrast, PickingSettings
from frostpick.types import Micrograph, at_hand

log = logging.getLogger(__name__)

#: Most micrographs looked at to find the contrast, spread over the set.
CONTRAST_SAMPLE = 8


@dataclass(frozen=True)
class PickPlan:
    """The resolved settings of a picking job.

    Parameters
    ----------
    diameter_A
        Longest dimension of the particle: border rule, packing limit, the picks' own.
    scale_diameter_A
        Diameter that sets the scale of the working image: the one the model was trained
        for, where it has one.
    min_distance_A
        Smallest distance between two picks.
    border
        Distance from the edges, in diameters, within which nothing is picked.
    pixel_size_A
        Pixel size for micrographs of which neither host nor header knows it.
    contrast
        Sign of the particles; ``auto`` until `settle_contrast`.
    precision
        Type that the network computes in; bfloat16 changes picks within the tolerance
        between devices.
    device, threads
        As they were asked for, not resolved: where a script's picking computes that names
        no executor.
    preview_ids
        Micrographs of which a small picture is kept.
    decoy_ids
        Micrographs that are picked with inverted contrast, too (`frostpick.picking.null`).
    """

    diameter_A: float
    scale_diameter_A: float
    min_distance_A: float
    border: float = 0.0
    pixel_size_A: float | None = None
    contrast: Contrast = "dark"
    precision: Precision = "float32"
    device: str = "cpu"
    threads: int = 1
    preview_ids: frozenset[str] = frozenset()
    decoy_ids: frozenset[str] = frozenset()


def plan_picking(
    model: PickingModel,
    settings: PickingSettings,
    preview_ids: frozenset[str] = frozenset(),
    executor: Executor | None = None,
) -> PickPlan:
    """Resolve the settings of a picking job against its model.

    A diameter in the settings is the one for border rule, packing limit and distance.
    A model with a diameter of its own still sees the micrographs at the scale it was
    trained for; where the two differ the log says so. Contrast and smallest distance are
    the model's own where the settings have none.

    Parameters
    ----------
    executor
        Who picks: its devices settle the precision. None: the devices of the settings.

    Raises
    ------
    ConfigError
        Neither the settings nor the model has a diameter, or the threshold is no rule.
    DeviceError
        The device asked for is not there.
    """
    own = model.card.diameter_A
    diameter = settings.diameter_A or own
    if diameter is None:
        raise ConfigError(
            "this model picks any particle and needs its size: "
            f"give {option('diameter')}, the longest dimension in Angstrom or auto, "
            f"or {option('model')} for one trained on this particle"
        )
    if own is not None and abs(diameter / own - 1) > 0.01:
        log.info(
            "diameter %g A is used for distances and borders; the model sees the micrographs "
            "at the scale of %g A it was trained for",
            diameter,
            own,
        )
    executor = executor or LocalExecutor(settings.device, settings.threads)
    return PickPlan(
        diameter_A=diameter,
        scale_diameter_A=own or diameter,
        min_distance_A=settings.min_distance or model.card.min_distance * diameter,
        border=settings.border,
        pixel_size_A=settings.pixel_size,
        contrast=settings.contrast or model.card.contrast,
        precision=choose_precision(model.network, executor.devices),
        device=settings.device,
        threads=settings.threads,
        preview_ids=preview_ids,
    )


def settle_contrast(
    model: PickingModel, micrographs: Sequence[Micrograph], plan: PickPlan, reporter: Reporter
) -> PickPlan:
    """Return the plan with ``auto`` contrast decided; any other plan unchanged.

    Where the images clearly contradict the contrast of the plan, that is told: they can err
    (one micrograph of bad ice, stain), so what was asked for holds, and nothing is downloaded
    for it. Reads at most ``CONTRAST_SAMPLE`` micrographs spread over the set. Give the job's
    whole set, also when part of it is picked already: then a continued job decides as an
    uninterrupted one does.
    """
    votes = []
    asked = plan.contrast == "auto"
    sizes = PixelSizes(plan.pixel_size_A, quiet=not asked)
    for micrograph in evenly_spread(micrographs, CONTRAST_SAMPLE, "starts"):
        reporter.check()
        if not asked and not at_hand(micrograph.source):
            continue
        try:
            image, pixel = read_with_pixel_size(micrograph, sizes)
            working = working_scale(
                image.data,
                pixel,
                plan.scale_diameter_A,
                px_per_diameter=model.card.px_per_diameter,
                micrograph_id=micrograph.id,
            )
        except MicrographError as error:
            if asked:  # else it is told when it is picked
                log.warning("contrast: %s is left out (%s)", micrograph.id, error.reason)
            continue
        votes.append(contrast_vote(working.data, model.card.px_per_diameter))
    if plan.contrast == "auto":
        return replace(plan, contrast=decide_contrast(votes))
    if contradicts(votes, plan.contrast):
        seen = f"votes of {len(votes)} micrographs, above 0 for light: {told_votes(votes)}"
        warn_of_contrast(plan.contrast, seen)
    return plan
