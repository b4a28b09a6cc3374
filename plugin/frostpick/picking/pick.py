"""The file to read first: the whole pick of a micrograph, from pixels to picks.

`pick_image` is the science, in order, each step one function of this package;
`frostpick.picking.work` is the same for a job of many, with readers ahead of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.picking_model import PickingModel
from frostpick.picking.calibration import calibrated, floor_logit
from frostpick.picking.emptiness import SLACK, SLACK_OF_SIMILARITY, emptiness, outnumber
from frostpick.picking.inference import InferenceNetwork, prepared_for_inference
from frostpick.picking.null import FIXED_FILTER
from frostpick.picking.peaks import Peaks
from frostpick.picking.plan import PickPlan
from frostpick.picking.preview import make_preview
from frostpick.picking.selector import Selector
from frostpick.preprocess import preprocess
from frostpick.runtime.device import settled_device
from frostpick.types import Picks

#: Most picks kept, in units of the densest packing of discs of one diameter.
MOST_PACKED = 5.0


@dataclass(frozen=True)
class MicrographPicks:
    """All picks above the floor on one micrograph, best first.

    Parameters
    ----------
    shape, pixel_size_A
        Of the micrograph, as it was read.
    seconds
        Wall time by step.
    preview
        ``(h, w)`` uint8 small picture, for the micrographs the plan names.
    decoys
        Picks with inverted contrast, for the micrographs the plan names (`frostpick.picking.null`).
    """

    micrograph_id: str
    picks: Picks
    shape: tuple[int, int]
    pixel_size_A: float
    seconds: dict[str, float] = field(default_factory=dict)
    preview: NDArray[np.uint8] | None = None
    decoys: Picks | None = None


@dataclass(frozen=True)
class MicrographFailure:
    """A micrograph that could not be used, and why."""

    micrograph_id: str
    reason: str


def pick_image(
    model: PickingModel,
    image: NDArray[np.float32],
    pixel_size_A: float,
    plan: PickPlan,
    micrograph_id: str = "image",
) -> MicrographPicks:
    """Pick one micrograph that is in memory.

    Parameters
    ----------
    model
        One that is `prepared_for_inference` computes where it is, any other where the plan names.
    image
        ``(ny, nx)`` float32.
    pixel_size_A
        Its pixel size in Angstrom.
    plan
        From `plan_picking`.

    Returns
    -------
    MicrographPicks
        Picks with a probability of at least 0.001, before the scores of a micrograph that
        seems empty are lowered, at most 5 times as many as discs of
        one diameter fit in, in micrograph pixels, by descending score. All lie on the
        image; those in the plan's border are found first, suppress their neighbours,
        and are then dropped.

    Raises
    ------
    MicrographError
        The image cannot be used: see `preprocess`.
    """
    model, device = _ready(model, plan)
    card, shape = model.card, (image.shape[0], image.shape[1])
    diameter_px = plan.diameter_A / pixel_size_A
    selector, seconds = Selector.of(card), dict[str, float]()
    with _timed(seconds, "preprocess"):
        working = preprocess(
            image,
            pixel_size_A,
            plan.scale_diameter_A,
            card.preprocess,
            px_per_diameter=card.px_per_diameter,
            contrast=plan.contrast,
            device=device,
            micrograph_id=micrograph_id,
        )
    with _timed(seconds, "network"):
        scores = selector.map(model.network, working)
    with _timed(seconds, "peaks"):
        peaks_of = partial(
            selector.peaks,
            diameter_px=diameter_px,
            min_distance_px=plan.min_distance_A / pixel_size_A,
            floor_logit=floor_logit(card.calibration),
            max_peaks=math.ceil(MOST_PACKED * packing_limit(shape, diameter_px)),
        )
        peaks = peaks_of(scores)
        slack = SLACK_OF_SIMILARITY if card.kind == "exemplar" else SLACK
        shift = emptiness(calibrated(peaks.logit, card.calibration), slack)
        if shift and card.network.name == FIXED_FILTER:
            light = peaks_of(selector.map(model.network, replace(working, data=-working.data)))
            if outnumber(peaks.logit, light.logit):
                shift = 0.0
        picks_of = partial(_picks, micrograph_id, shape, model, plan, diameter_px, shift)
        picks = picks_of(peaks)
    decoys = None
    if micrograph_id in plan.decoy_ids:
        with _timed(seconds, "inverted"):
            inverted = replace(working, data=-working.data)
            decoys = picks_of(peaks_of(selector.map(model.network, inverted)))
    preview = None
    if micrograph_id in plan.preview_ids:
        with _timed(seconds, "preview"):
            preview = make_preview(image, diameter_px, device)
    return MicrographPicks(micrograph_id, picks, shape, pixel_size_A, seconds, preview, decoys)


def _picks(
    micrograph_id: str,
    shape: tuple[int, int],
    model: PickingModel,
    plan: PickPlan,
    diameter_px: float,
    shift: float,
    peaks: Peaks,
) -> Picks:
    """Return the picks of peaks: those inside the border, with shifted scores, best first."""
    peaks = peaks.inside(shape, plan.border * diameter_px)
    return Picks.from_xy(
        micrograph_id,
        peaks.x_px,
        peaks.y_px,
        score=calibrated(peaks.logit, model.card.calibration) + shift,
        diameter_A=plan.diameter_A,
        **peaks.optional(),
    ).sorted()


def packing_limit(shape: tuple[int, int], diameter_px: float) -> float:
    """Return how many discs of one diameter an area holds in the densest (hexagonal) packing."""
    return shape[0] * shape[1] * 2 / (math.sqrt(3) * diameter_px**2)


def _ready(model: PickingModel, plan: PickPlan) -> tuple[PickingModel, torch.device]:
    """Return the model ready where it is, or else for the device that the plan names."""
    network = model.network
    device = (
        network.device if isinstance(network, InferenceNetwork) else settled_device(plan.device)
    )
    return prepared_for_inference(model, device, plan.precision), device


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - start
